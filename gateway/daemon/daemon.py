"""The life of a gateway: its parts are started, stopped and looked after, in order.

Start: journal and spool, then judges and outbox, then unfinished work, and only then the doors.
Stop: the doors first, then what is being judged (for a bounded time), then what is being sent.
Whatever does not finish is in the journal and resumes at the next start.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from twisted.internet import defer

from gateway import faults
from gateway.config import Configuration
from gateway.daemon.parts import Parts
from gateway.daemon.watching import pools_of
from gateway.durable import make_folder
from gateway.errors import GatewayError
from gateway.service.certificate_watch import WARN_SECONDS
from gateway.service.http_server import HttpServer
from gateway.service.journal import Journal
from gateway.service.liveness import Liveness
from gateway.service.looking import Looking
from gateway.service.replaceable_workers import ReplaceableWorkers
from gateway.service.sd_notify import Notifier
from gateway.service.sftp_server import SftpService

STATUS_SECONDS: Final = 10.0
UPGRADE_SECONDS: Final = 120.0
"""So long systemd waits for the next word of a journal that is being brought up to date."""
REVIVE_SECONDS: Final = 60.0
"""How often judges that could not even boot are given another chance; intake goes on meanwhile."""


class Daemon:
    """One gateway on one state directory."""

    def __init__(
        self,
        reactor: Any,
        configuration: Configuration,
        *,
        log: Any,
        notifier: Notifier | None = None,
        on_fatal: Callable[[GatewayError], None] | None = None,
        sockets: Mapping[str, socket.socket] | None = None,
    ) -> None:
        self._reactor = reactor
        self._log = log
        self._notifier = notifier or Notifier({})
        self._on_fatal = on_fatal
        self._started: list[tuple[str, Callable[[], Any]]] = []
        self._lookings: list[Looking] = []
        self.parts = Parts(reactor, configuration, log=log, sockets=sockets)

    # ---- for those who look at it

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.parts.state

    @property
    def journal(self) -> Journal:
        """What happened."""
        return self.parts.journal

    @property
    def sftp(self) -> SftpService | None:
        """The SFTP server, if there is one."""
        return self.parts.sftp

    @property
    def http(self) -> HttpServer | None:
        """The HTTP server, if there is one."""
        return self.parts.http

    # ---- life

    async def start(self) -> None:
        """Bring everything up; raises `GatewayError` if the gateway cannot work."""
        if faults.expected():
            self._log.warning("faults_expected", remedy=f"Unset {faults.FAULTS} for real work.")
        make_folder(self.state / "scratch")  # and durably all that it makes on the way
        try:
            await self._start_parts()
        except BaseException:
            await self.stop(0.0)
            raise
        self._every(STATUS_SECONDS, self._say_status)
        self._every(REVIVE_SECONDS, self._revive_workers)
        if self._notifier.watchdog_seconds:
            self._every(self._notifier.watchdog_seconds / 3, self._liveness().look)
        self._every(WARN_SECONDS, self.parts.certificates.warn)
        self.parts.reload.open()
        self.parts.ready = True
        self._notifier.ready(self._describe())
        self._log.info(
            "ready",
            state=str(self.state),
            sftp_port=self.sftp and self.sftp.port,
            http_port=self.http and self.http.port,
            management_port=self.parts.management and self.parts.management.port,
        )

    async def reload(self) -> None:
        """Take over what the files say now, as far as it can be; the log tells all.

        What is wrong with them changes nothing and is no exception.
        """
        try:
            await self.parts.reload.reload()
        except GatewayError:
            return  # it is in the log, with every fault

    async def _start_parts(self) -> None:
        parts = self.parts
        if parts.management is not None:  # first and last: it tells how far the others are
            await parts.management.start()
            self._started.append(("management", parts.management.stop))
        parts.threads.start()
        self._started.append(("threads", parts.threads.stop))
        parts.journal.upgrading = self._upgrading
        await parts.journal.open()
        self._started.append(("journal", parts.journal.close))
        parts.console_threads.start()
        self._started.append(("console-threads", parts.console_threads.stop))
        await parts.in_thread(self._prepare_folders)
        parts.sweeper.start()
        self._started.append(("sweeper", parts.sweeper.stop))
        await parts.clock_watch.start()
        self._started.append(("clock-watch", parts.clock_watch.stop))
        parts.broker.on_available = parts.outbox.wake
        await parts.broker.start()
        self._started.append(("broker", parts.broker.stop))
        parts.outbox.start()
        self._started.append(("outbox", lambda: parts.outbox.stop(5.0)))
        parts.delivery_watch.start()
        self._started.append(("delivery-watch", parts.delivery_watch.stop))
        parts.standing_watch.start()
        self._started.append(("standing-watch", parts.standing_watch.stop))
        await parts.workers.start()
        if parts.scanner is not None:  # not waited for: a clamd that hangs holds nobody back here
            log = self._log.bind(part="antivirus")
            defer.Deferred.fromCoroutine(parts.scanner.warn_if_silent(log))
        if parts.as2 is not None:
            await parts.as2.start()
        parts.status_sender.start()
        await parts.intake.start()
        await parts.control.start()
        self._started.append(("control", parts.control.stop))
        if parts.sftp is not None:
            parts.sftp.on_broken = self._on_fatal
            await parts.sftp.start()
        if parts.http is not None:
            await parts.http.start()
        parts.remotes.start()
        parts.folders.start()
        if parts.requests is not None:
            await parts.requests.start()
        parts.alerts.start()
        self._started.append(("alerts", parts.alerts.stop))

    def _upgrading(self, words: str) -> None:
        """The journal is brought up to date; in its own thread, and it may take its time."""
        self._log.info("journal_upgrade", progress=words)
        self._notifier.busy_starting(words, UPGRADE_SECONDS)

    def _prepare_folders(self) -> None:
        scratch = self.state / "scratch"
        for leftover in scratch.iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
        self.parts.spool.prepare()

    async def stop(self, grace: float | None = None) -> None:
        """Close the doors, drain for at most `grace` seconds, and let everything go."""
        if grace is None:
            grace = self.parts.reload.settings.shutdown.drain_seconds
        self._notifier.stopping()
        self._log.info("stopping", grace_seconds=grace)
        for looking in self._lookings:
            await looking.stop()
        parts, brief = self.parts, min(grace, 5.0)
        parts.ready = False
        parts.reload.stop()
        if parts.http is not None:
            await self._quietly("http", parts.http.stop(brief))
        if parts.sftp is not None:
            await self._quietly("sftp", parts.sftp.stop(brief))
        await self._quietly("folders", parts.folders.stop(brief))
        if parts.requests is not None:
            await self._quietly("requests", parts.requests.stop(brief))
        await self._quietly("sftp-client", parts.remotes.stop(brief))
        await self._quietly("intake", parts.intake.stop(grace))
        await self._quietly("statuses", parts.status_sender.stop())
        await self._quietly("judges", parts.workers.stop(brief))
        if parts.as2 is not None:
            await self._quietly("as2", parts.as2.stop(brief))
        while self._started:
            name, stop = self._started.pop()
            await self._quietly(name, _called(stop))
        self._log.info("stopped")

    async def _quietly(self, part: str, stopping: Any) -> None:
        """One part that fails to stop must not keep the others from stopping."""
        try:
            await stopping
        except Exception as error:
            # Whatever it is: threads left running would keep the process from ending at all.
            self._log.error("stop_failed", stopping=part, error=repr(error))

    # ---- now and then

    def _every(self, seconds: float, function: Callable[[], None]) -> None:
        """Call it that often. What it raises is logged, and it is called again."""

        async def look() -> None:
            function()

        log = self._log.bind(what=function.__name__)
        looking = Looking(self._reactor, look, failed="periodic_failed", log=log)
        self._lookings.append(looking)
        looking.start(seconds, now=False)

    def _revive_workers(self) -> None:
        pools: list[tuple[str, ReplaceableWorkers]] = [("judges", self.parts.workers)]
        if self.parts.as2 is not None:
            pools.append(("crypto", self.parts.as2.workers))
        for name, pool in pools:
            if pool.status().broken is not None:
                self._revive(name, pool)

    def _revive(self, name: str, pool: ReplaceableWorkers) -> None:
        self._log.warning("workers_restarted", pool=name, broken=pool.status().broken)
        defer.Deferred.fromCoroutine(pool.start()).addErrback(
            lambda failure: self._log.critical(
                "workers_still_broken", pool=name, error=str(failure.value)
            )
        )

    def _liveness(self) -> Liveness:
        return Liveness(
            self._reactor,
            journal=self.parts.journal,
            pools=pools_of(self.parts),
            alive=self._notifier.alive,
            tell=self._notifier.status,
            log=self._log,
        )

    def _describe(self) -> str:
        intake = self.parts.intake
        broker = "available" if self.parts.broker.available else "away"
        return f"{intake.in_flight} being judged, {intake.waiting} waiting, broker {broker}"

    def _say_status(self) -> None:
        self._notifier.status(self._describe())


async def _called(stop: Callable[[], Any]) -> None:
    result = stop()
    if result is not None:
        await result
