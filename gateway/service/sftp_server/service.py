"""The daemon's side of the SFTP server: the listening socket, the host keys, the processes.

Every process gets the same listening socket, so the kernel gives a connection to whichever is
free. A process that dies is started again, later and later if it keeps dying; when processes fail
while they boot, nothing would change by trying on, so that ends with `WorkersBroken`.
"""

from __future__ import annotations

import secrets
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet import defer

from gateway import faults
from gateway.config.settings import Sftp
from gateway.durable import make_folder
from gateway.errors import ConfigurationError, GatewayError, IntakeRefused, WorkersBroken
from gateway.model.partner import Partner
from gateway.service.guessing import Guesses
from gateway.service.listening import cannot_listen
from gateway.service.out_watch import OutWatch
from gateway.service.sftp_server import channel, keys
from gateway.service.sftp_server.accounts import accesses_of, accounts_of, note_login, weigh_login
from gateway.service.sftp_server.arrival import Stored
from gateway.service.sftp_server.child import Child
from gateway.service.sftp_server.folders import in_folder, out_folder

COMMAND = (sys.executable, "-m", "gateway.service.sftp_server")
BOOT_SECONDS = 60.0
BOOT_FAILURES = 5
"""So many in a row, over all processes, and no more are started."""
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.2, 30.0
BACKLOG = 256
STOP_MARGIN_SECONDS = 0.5
NOT_RECEIVED = "not received: the gateway could not store it; send it again later"


class SftpService:
    """The SFTP server. `out` hears what became of the files in partners' `out/`.

    It listens where `settings` say, or on the socket `given`.

    `receive` gets each complete file and returns the interchange id once it is durable; whatever
    it raises, the partner hears "not received". `on_broken`, if set, hears when the processes are
    given up.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        settings: Sftp,
        partners: Sequence[Partner],
        state: Path,
        receive: Callable[[Stored], Awaitable[str]],
        out: OutWatch,
        log: Any,
        log_level: str = "info",
        command: Sequence[str] = COMMAND,
        given: socket.socket | None = None,
    ) -> None:
        self._reactor = reactor
        self._given = given
        self._settings = settings
        self._state = state
        self._receive = receive
        self._out = out
        self._log = log
        self._log_level = log_level
        self._command = command
        self.guesses = Guesses("sftp", seconds=reactor.seconds, log=log)
        self._partners = accesses_of(partners)
        self._listener: socket.socket | None = None
        self._boot: channel.Boot | None = None
        self._children: dict[int, Child] = {}
        self._retries: dict[int, Any] = {}
        self._delays: dict[int, float] = {}
        self._failed_boots = 0
        self._stopping = False
        self.broken: WorkersBroken | None = None
        self.deaths = 0
        """Processes that ended by themselves, since the start."""
        self.on_broken: Callable[[WorkersBroken], None] | None = None

    @property
    def port(self) -> int:
        """The port listened on; 0 before `start`."""
        return int(self._listener.getsockname()[1]) if self._listener is not None else 0

    def status(self) -> dict[str, Any]:
        """Process ids, and sessions per partner."""
        sessions: Counter[str] = Counter()
        for child in self._children.values():
            sessions.update(child.sessions)
        return {
            "processes": sorted(child.pid for child in self._children.values() if child.ready),
            "sessions": dict(+sessions),
        }

    # ---- start and stop

    async def start(self) -> None:
        """Listen. Returns when every process accepts connections.

        Raises `AddressUnavailable`, `ConfigurationError` (it may not listen there, unusable
        partner), `WorkersBroken` (a process does not boot) or `OSError` (the state directory).
        """
        self._stopping, self.broken, self._failed_boots = False, None, 0
        accounts = accounts_of(self._partners)
        self._make_homes(self._partners)
        self._boot = channel.Boot(
            index=0,
            settings=self._settings,
            state=str(self._state.resolve()),
            accounts=accounts,
            host_keys=keys.host_keys(self._state),
            proof_key=secrets.token_bytes(32),
            log_level=self._log_level,
        )
        self._listener = self._listen()
        where = self._listener.getsockname()[0]
        booting = [self._spawn(index) for index in range(max(1, self._settings.processes))]
        outcomes = await defer.DeferredList([child.booted for child in booting])
        failed = [child for child, (_, ready) in zip(booting, outcomes, strict=True) if not ready]
        if failed:
            words = failed[0].boot_error
            await self.stop(0.0)
            raise WorkersBroken(
                f"An SFTP process does not start: {words}",
                remedy="Read what it wrote to the log just before.",
            )
        self._log.info("sftp_listening", listen=where, port=self.port)

    def prepare(self, partners: Iterable[Partner]) -> Callable[[], defer.Deferred[None]]:
        """Get ready for other partners; the answer takes them, and fires once every process did.

        Sessions go on; those of partners that are gone end as soon as they upload nothing. Raises
        `ConfigurationError` when their accounts or folders cannot be made; then nothing is
        different.
        """
        accesses = accesses_of(partners)
        accounts = accounts_of(accesses)
        try:
            self._make_homes(accesses)
        except OSError as error:
            raise ConfigurationError(
                f"The partners' folders cannot be made: {error}.",
                remedy="Check the disk and the rights of the state directory.",
            ) from error

        def take() -> defer.Deferred[None]:
            assert self._boot is not None
            self._partners = accesses
            self._boot = msgspec.structs.replace(self._boot, accounts=accounts)
            learnt = [child.learn(accounts) for child in self._children.values()]
            return defer.gatherResults(learnt).addCallback(lambda _: None)

        return take

    async def stop(self, grace: float) -> None:
        """Stop accepting; give closes that wait for their answer, and uploads, `grace` seconds."""
        self._stopping = True
        for retry in self._retries.values():
            retry.cancel()
        self._retries.clear()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        children = list(self._children.values())
        for child in children:
            child.stop(max(0.0, grace - STOP_MARGIN_SECONDS))
        timer = self._reactor.callLater(max(grace, 0.1), _kill, children)
        await defer.DeferredList([child.ended for child in children])
        if timer.active():
            timer.cancel()

    def _make_homes(self, partners: Iterable[str]) -> None:
        """Their folders."""
        for partner in partners:
            make_folder(in_folder(self._state, partner))
            make_folder(out_folder(self._state, partner))

    def _listen(self) -> socket.socket:
        if self._given is not None:
            return self._given.dup()
        host, port = self._settings.listen, self._settings.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise cannot_listen("sftp", host, port, error) from error
        listener.setblocking(False)
        return listener

    # ---- the processes

    def _spawn(self, index: int) -> Child:
        assert self._boot is not None
        assert self._listener is not None
        child = Child(index, on_word=self._heard, on_end=self._ended)
        self._children[index] = child
        child.spawn(
            self._reactor,
            self._command,
            self._listener.fileno(),
            channel.for_index(self._boot, index),
            BOOT_SECONDS,
        )
        return child

    def _ended(self, child: Child) -> None:
        if self._children.get(child.index) is child:
            del self._children[child.index]
        if self._stopping:
            return
        self.deaths += 1
        if child.ready:
            self._failed_boots = 0
        else:
            self._failed_boots += 1
        self._log.error(
            "sftp_process_died", pid=child.pid, booted=child.ready, reason=child.boot_error
        )
        if self._failed_boots >= BOOT_FAILURES:
            self._give_up(child.boot_error)
            return
        if child.ready and child.lifetime(self._reactor.seconds()) > LAST_RETRY_SECONDS:
            self._delays.pop(child.index, None)
        delay = self._delays.get(child.index, FIRST_RETRY_SECONDS)
        self._delays[child.index] = min(delay * 2, LAST_RETRY_SECONDS)
        self._retries[child.index] = self._reactor.callLater(delay, self._again, child.index)

    def _again(self, index: int) -> None:
        del self._retries[index]
        self._spawn(index)

    def _give_up(self, words: str) -> None:
        self.broken = WorkersBroken(
            f"SFTP processes fail while they start: {words}",
            remedy="Mend the cause, then restart the gateway.",
        )
        for retry in self._retries.values():
            retry.cancel()
        self._retries.clear()
        if not self._children and self._listener is not None:
            # Better refused at once than waiting in a queue nobody serves.
            self._listener.close()
            self._listener = None
        self._log.critical("sftp_given_up", error=str(self.broken))
        if self.on_broken is not None:
            self.on_broken(self.broken)

    # ---- what the processes say

    def _heard(self, child: Child, word: channel.Word) -> None:
        match word:
            case channel.SessionEnded(partner):
                child.sessions[partner] -= 1
            case channel.SessionWanted(number, partner):
                child.answer(self._session(child, number, partner))
            case channel.LoginWanted():
                child.answer(weigh_login(self.guesses, word))
            case channel.LoginTried():
                note_login(self.guesses, word)
            case channel.Received():
                defer.ensureDeferred(self._answer(child, word))
            case channel.Fetched(number, partner, name):
                defer.ensureDeferred(_may_go(child, number, self._out.fetched(partner, name)))
            case channel.Expired(number, partner, name):
                defer.ensureDeferred(_may_go(child, number, self._out.expired(partner, name)))

    def _session(self, child: Child, number: int, partner: str) -> channel.Answer:
        access = self._partners.get(partner)
        open_now = sum(each.sessions[partner] for each in self._children.values())
        most = access.max_sessions if access is not None else 0
        if self._stopping or open_now >= most:
            reason = "stopping" if self._stopping else f"{open_now} sessions are open already"
            return channel.Answer(number, None, reason)
        child.sessions[partner] += 1
        return channel.Answer(number, "")

    async def _answer(self, child: Child, word: channel.Received) -> None:
        upload = Stored(word.partner, word.name, word.sha256, word.size)
        try:
            interchange = await self._receive(upload)
        except IntakeRefused as error:
            self._refused(word, error)
            answer = channel.Answer(word.id, None, f"not received: {error.what}")
        except (Exception, defer.CancelledError) as error:
            self._refused(word, error)
            answer = channel.Answer(word.id, None, NOT_RECEIVED)
        else:
            answer = channel.Answer(word.id, interchange)
        with faults.around("sftp.answer"):
            child.answer(answer)

    def _refused(self, word: channel.Received, error: BaseException) -> None:
        """Log what the partner is not told in detail: messages of ours may name paths."""
        say = self._log.warning if isinstance(error, GatewayError) else self._log.exception
        say(
            "sftp_not_received",
            partner=word.partner,
            name=word.name,
            size=word.size,
            sha256=word.sha256,
            error=str(error),
        )


async def _may_go(child: Child, number: int, asked: Awaitable[bool]) -> None:
    """Tell a process whether a file of `out/` may be removed."""
    granted = "" if await asked else None
    if number:
        child.answer(channel.Answer(number, granted))


def _kill(children: Sequence[Child]) -> None:
    for child in children:
        child.kill()
