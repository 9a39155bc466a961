"""The daemon's side: a schedule for every partner whose server we log in to, and their threads.

The threads are daemonic: a look-up of a host name cannot be cut, and must not keep the process
from ending. Everything else in them ends when its socket is cut.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import Any, TypeVar

from twisted.internet import defer, task
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from gateway.errors import DeliveryFailed
from gateway.model.partner import Partner, SftpRemote
from gateway.service.journal import records
from gateway.service.sftp_client.connection import Patience
from gateway.service.sftp_client.fetching import Fetching, Receive
from gateway.service.sftp_client.health import Health
from gateway.service.sftp_client.lane import Lane
from gateway.service.sftp_client.pushing import WAIT_SECONDS, Pushing
from gateway.service.sftp_client.remote import Remote
from gateway.service.sftp_server.folders import is_out_name
from gateway.spool import Spool

MAX_THREADS = 64
WATCH_SECONDS = 1.0
CUT_SECONDS = 2.0
"""How long threads may take to notice that their socket is gone."""

T = TypeVar("T")


class _Thread(threading.Thread):
    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named, daemon=True)


class _Threads(ThreadPool):
    """A pool that does not keep the process alive."""

    threadFactory = _Thread  # noqa: N815  # Twisted's name


class SftpClients:
    """All partners with an `sftp_remote`.

    `receive` returns the interchange id once a fetched file is durable. `recovered` hears when a
    server is back, so that what waits for it can be sent.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        partners: Sequence[Partner],
        spool: Spool,
        receive: Receive,
        recovered: Callable[[], None],
        max_file_bytes: int,
        min_free_mb: int,
        log: Any,
        patience: Patience = Patience(),  # noqa: B008  # frozen
        push_wait_seconds: float = WAIT_SECONDS,
        rng: random.Random | None = None,
    ) -> None:
        self._reactor = reactor
        self._spool = spool
        self._receive = receive
        self._recovered = recovered
        self._max_file_bytes = max_file_bytes
        self._min_free_mb = min_free_mb
        self._log = log
        self._patience = patience
        self._push_wait_seconds = push_wait_seconds
        self._rng = rng or random.Random()  # noqa: S311  # spreads visits, hides nothing
        self._settings = _servers(partners)
        self._remotes: dict[str, Remote] = {}
        self._visited: dict[str, SftpRemote] = {}
        """The settings that each of `_remotes` goes by."""
        self._threads = _Threads(0, _threads_for(self._settings), name="remote")
        self._watch: task.LoopingCall | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin visiting partners. Returns at once; a server that is away is no error."""
        self._stopping = False
        self._begin()

    def _begin(self) -> None:
        """Visit those that are not visited yet."""
        if self._stopping or not self._settings:
            return
        if self._watch is None:
            self._threads.start()
            self._watch = task.LoopingCall(self._look_after)
            self._watch.clock = self._reactor
            self._watch.start(WATCH_SECONDS, now=False)
        for partner, remote in self._settings.items():
            if partner not in self._remotes:
                self._visited[partner] = remote
                self._remotes[partner] = self._remote(partner, remote)
                self._remotes[partner].start()

    async def replace(self, partners: Iterable[Partner], grace: float) -> None:
        """Visit these partners from now on; those that are as they were are visited as before.

        A file under way from another gets `grace` seconds, then its connection is cut.
        """
        self._settings = _servers(partners)
        self._threads.adjustPoolsize(0, _threads_for(self._settings))
        ending = {
            name: self._remotes.pop(name)
            for name, remote in list(self._visited.items())
            if self._settings.get(name) != remote
        }
        for name in ending:
            del self._visited[name]
        await self._end(ending, grace)
        self._begin()

    async def stop(self, grace: float) -> None:
        """End the visits: give files under way `grace` seconds, then cut the connections.

        What was not received by then stays with the partner.
        """
        self._stopping = True  # a replacement that is under way begins nothing any more
        left = await self._end(self._remotes, grace)
        if self._watch is not None and self._watch.running:
            self._watch.stop()
        if not left and self._threads.started:
            self._threads.stop()
        self._remotes, self._visited = {}, {}

    async def deliver(self, row: records.OutboxRow) -> None:
        """Leave a report with its partner. Raises `DeliveryFailed`.

        A partner without `push_to` wants none: what it should know is on RabbitMQ.
        """
        remote = self._settings.get(row.partner)
        if remote is None:
            raise DeliveryFailed(
                f"{row.partner} has no SFTP server to leave {row.filename} on.",
                remedy="Enable the partner and give it [sftp_remote] again; push_to may be"
                " empty if it wants no reports.",
            )
        if not remote.push_to:
            self._log.debug("sftp_remote_no_push", partner=row.partner, name=row.filename)
            return
        if row.filename is None or not is_out_name(row.filename):
            raise DeliveryFailed(
                f'Outbox row {row.id} has no usable file name for the partner: "{row.filename}".',
                remedy="This is a fault in the gateway; please report it.",
            )
        running = self._remotes.get(row.partner)
        if running is None:
            raise DeliveryFailed(
                f"{row.filename} waits until the gateway visits {row.partner}'s server.",
                remedy="Nothing to do: it is tried again by itself.",
            )
        body = self._spool.path(row.payload) if row.payload is not None else row.body
        await running.pushing.deliver(row.id, row.filename, body)

    def _remote(self, partner: str, remote: SftpRemote) -> Remote:
        log = self._log.bind(partner=partner)
        lane = Lane(
            self._reactor,
            remote,
            patience=self._patience,
            in_thread=self._in_thread,
            health=Health(self._rng),
            recovered=self._recovered,
            log=log,
        )
        fetching = Fetching(
            lane,
            remote,
            partner=partner,
            spool=self._spool,
            receive=self._receive,
            in_thread=self._in_thread,
            max_bytes=self._max_file_bytes,
            min_free_mb=self._min_free_mb,
            log=log,
        )
        return Remote(
            self._reactor,
            remote,
            lane=lane,
            fetching=fetching if remote.fetch_from else None,
            pushing=Pushing(
                self._reactor,
                lane,
                remote,
                partner=partner,
                wait_seconds=self._push_wait_seconds,
            ),
            rng=self._rng,
            log=log,
        )

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:
        result: T = await deferToThreadPool(self._reactor, self._threads, function, *args)
        return result

    def _look_after(self) -> None:
        for each in self._remotes.values():
            each.lane.watch()

    async def _end(self, remotes: Mapping[str, Remote], grace: float) -> list[str]:
        """End the visits to these, and say which would not end."""
        for each in remotes.values():
            each.ask_to_stop()
        await self._all_stopped(remotes, grace)
        for each in remotes.values():
            each.lane.cut()
        await self._all_stopped(remotes, CUT_SECONDS)
        left = [name for name, each in remotes.items() if not each.stopped]
        if left:
            self._log.warning("sftp_remote_thread_left", partners=left)
        return left

    async def _all_stopped(self, remotes: Mapping[str, Remote], seconds: float) -> None:
        until = self._reactor.seconds() + seconds
        while self._reactor.seconds() < until:
            if all(each.stopped for each in remotes.values()):
                return
            await _later(self._reactor, 0.02)


def _servers(partners: Iterable[Partner]) -> dict[str, SftpRemote]:
    return {each.name: each.sftp_remote for each in partners if each.enabled and each.sftp_remote}


def _threads_for(servers: Sized) -> int:
    return min(MAX_THREADS, max(1, len(servers)))


def _later(reactor: Any, seconds: float) -> defer.Deferred[None]:
    return task.deferLater(reactor, seconds)
