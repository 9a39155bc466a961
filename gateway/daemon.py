"""The composition root: builds every part, wires them, starts and stops them in order.

Start: journal and spool, then judges and outbox, then unfinished work, and only then the doors.
Stop: the doors first, then what is being judged (for a bounded time), then what is being sent.
Whatever does not finish is in the journal and resumes at the next start.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet import defer, task
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from gateway.config import Configuration
from gateway.errors import GatewayError
from gateway.model.interchange import Transport
from gateway.model.job import WorkerBoot
from gateway.service.amqp import AmqpPublisher
from gateway.service.antivirus import Clamd
from gateway.service.as2 import As2Service
from gateway.service.control import Control
from gateway.service.folder_watches import FolderWatches
from gateway.service.http_api import routes as api_routes
from gateway.service.http_server import Handler, HttpServer
from gateway.service.intake import Intake
from gateway.service.journal import Journal
from gateway.service.judges import Judges
from gateway.service.outbox import Outbox
from gateway.service.publications import FilePublisher
from gateway.service.quarantine import Quarantine
from gateway.service.sd_notify import Notifier
from gateway.service.sftp_client import SftpClients
from gateway.service.sftp_server import SftpService, Upload
from gateway.service.sftp_server.folders import make_folder
from gateway.service.spool import Spool
from gateway.service.ways_back import WaysBack
from gateway.service.workers import WorkerPool

SPOOL_THREADS = 4
STATUS_SECONDS = 10.0
REVIVE_SECONDS = 60.0
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
    ) -> None:
        self._reactor = reactor
        self._configuration = configuration
        self._settings = configuration.settings
        self._log = log
        self._notifier = notifier or Notifier({})
        self._on_fatal = on_fatal
        self._started: list[tuple[str, Callable[[], Any]]] = []
        self._loops: list[task.LoopingCall] = []
        self._threads = ThreadPool(1, SPOOL_THREADS, name="spool")
        state = configuration.state
        self.state = state
        self.journal = Journal(reactor, state / "journal.sqlite")
        self.spool = Spool(state / "spool")
        self.workers = WorkerPool(
            reactor,
            command=[sys.executable, "-m", "gateway.worker"],
            boot=msgspec.msgpack.encode(
                WorkerBoot(
                    flows=tuple(configuration.flows.values()),
                    rule_packs=str(configuration.rule_packs),
                    scratch=str(state / "scratch"),
                    limits=self._settings.documents,
                    containers=self._settings.containers,
                )
            ),
            size=self._settings.judges.processes or _cores(),
            time_limit=self._settings.judges.time_limit_seconds,
            boot_limit=self._settings.judges.boot_limit_seconds,
            memory_limit_mb=self._settings.judges.memory_limit_mb,
            alone_time_limit=self._settings.judges.large_time_limit_seconds,
            alone_memory_limit_mb=self._settings.judges.large_memory_limit_mb,
            log=log.bind(part="judges"),
        )
        self.ways_back = WaysBack(
            state=state,
            partners=configuration.partners,
            spool=self.spool,
            in_thread=self._in_thread,
            log=log.bind(part="outbox"),
        )
        self.broker = self._build_broker()
        self.outbox = Outbox(
            reactor,
            journal=self.journal,
            broker=self.broker,
            channels=self.ways_back.channels(),
            settings=self._settings.outbox,
            log=log.bind(part="outbox"),
        )
        antivirus = self._settings.antivirus
        self.scanner = Clamd(reactor, antivirus) if antivirus.address else None
        self.intake = Intake(
            reactor,
            journal=self.journal,
            spool=self.spool,
            in_thread=self._in_thread,
            judges=Judges(self.workers),
            partners=configuration.partners,
            scratch=state / "scratch",
            settings=self._settings.intake,
            judging=self._settings.judges,
            inline_bytes=self._settings.outbox.inline_bytes,
            outbox_written=self.outbox.wake,
            log=log.bind(part="intake"),
            scanner=self.scanner,
        )
        self.control = Control(
            reactor,
            state / "control.sock",
            Quarantine(
                self.journal,
                resume=self.intake.resume,
                outbox_written=self.outbox.wake,
                log=log.bind(part="control"),
            ).handlers(),
            log=log.bind(part="control"),
        )
        self.sftp: SftpService | None = None
        if self._settings.sftp.enabled:
            self.sftp = SftpService(
                reactor,
                settings=self._settings.sftp,
                partners=[p for p in configuration.partners.values() if p.enabled and p.sftp],
                state=state,
                receive=self._receive_sftp,
                log=log.bind(part="sftp"),
                log_level=self._settings.log.level,
            )
        self.folders = self.ways_back.folders = FolderWatches(
            reactor,
            partners=configuration.partners,
            spool=self.spool,
            max_file_bytes=self._settings.sftp.max_file_bytes,
            min_free_mb=self._settings.intake.min_free_mb,
            receive=self._receive_folder,
            in_thread=self._in_thread,
            log=log.bind(part="folders"),
        )
        self.remotes = self.ways_back.remotes = SftpClients(
            reactor,
            partners=list(configuration.partners.values()),
            spool=self.spool,
            receive=self._receive_remote,
            recovered=self.outbox.wake,
            max_file_bytes=self._settings.sftp.max_file_bytes,
            min_free_mb=self._settings.intake.min_free_mb,
            log=log.bind(part="sftp-client"),
        )
        self.as2: As2Service | None = None
        if self._settings.as2.id and self._settings.http.enabled:
            self.as2 = self.ways_back.as2 = As2Service(
                reactor,
                configuration,
                receive=self.intake.receive,
                journal=self.journal,
                spool=self.spool,
                in_thread=self._in_thread,
                otherwise=self.ways_back.otherwise,
                outbox_written=self.outbox.wake,
                log=log.bind(part="as2"),
            )
        self.http: HttpServer | None = None
        if self._settings.http.enabled:
            self.http = HttpServer(
                reactor,
                settings=self._settings.http,
                routes=self._routes(),
                incoming=self.spool.incoming,
                in_thread=self._in_thread,
                log=log.bind(part="http"),
            )

    def _routes(self) -> dict[str, Handler]:
        """Who answers what over HTTP."""
        return {
            **(self.as2.routes if self.as2 else {}),
            **api_routes(
                partners=self._configuration.partners,
                receive=self.intake.receive,
                journal=self.journal,
                spool=self.spool,
                in_thread=self._in_thread,
                max_bytes=self._settings.http.max_body_bytes,
                seconds=self._reactor.seconds,
                log=self._log.bind(part="http"),
            ),
        }

    def _build_broker(self) -> AmqpPublisher | FilePublisher:
        if self._settings.rabbitmq.host:
            return AmqpPublisher(
                self._reactor,
                self._settings.rabbitmq,
                password=self._configuration.rabbitmq_password,
                log=self._log.bind(part="amqp"),
                rng=random.Random(),  # noqa: S311  # spreads reconnects, hides nothing
            )
        return FilePublisher(self._reactor, self._configuration.state / "publications")

    async def start(self) -> None:
        """Bring everything up; raises `GatewayError` if the gateway cannot work."""
        make_folder(self.state / "scratch")  # and durably all that it makes on the way
        try:
            await self._start_parts()
        except BaseException:
            await self.stop(0.0)
            raise
        self._every(STATUS_SECONDS, self._say_status)
        self._every(REVIVE_SECONDS, self._revive_judges)
        if self._notifier.watchdog_seconds:
            self._every(self._notifier.watchdog_seconds / 3, self._notifier.alive)
        self._notifier.ready(self._describe())
        self._log.info(
            "ready",
            state=str(self.state),
            sftp_port=self.sftp and self.sftp.port,
            http_port=self.http and self.http.port,
        )

    async def _start_parts(self) -> None:
        self._threads.start()
        self._started.append(("threads", self._threads.stop))
        await self.journal.open()
        self._started.append(("journal", self.journal.close))
        await self._in_thread(self._prepare_folders)
        self.broker.on_available = self.outbox.wake
        await self.broker.start()
        self._started.append(("broker", self.broker.stop))
        self.outbox.start()
        self._started.append(("outbox", lambda: self.outbox.stop(5.0)))
        await self.workers.start()
        if self.scanner is not None:  # not waited for: a clamd that hangs holds nobody back here
            log = self._log.bind(part="antivirus")
            defer.Deferred.fromCoroutine(self.scanner.warn_if_silent(log))
        if self.as2 is not None:
            await self.as2.start()
        await self.intake.start()
        await self.control.start()
        self._started.append(("control", self.control.stop))
        if self.sftp is not None:
            self.sftp.on_broken = self._on_fatal
            await self.sftp.start()
        if self.http is not None:
            await self.http.start()
        self.remotes.start()
        self.folders.start()

    def _prepare_folders(self) -> None:
        scratch = self.state / "scratch"
        for leftover in scratch.iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
        self.spool.prepare()

    async def stop(self, grace: float | None = None) -> None:
        """Close the doors, drain for at most `grace` seconds, and let everything go."""
        if grace is None:
            grace = self._settings.shutdown.drain_seconds
        self._notifier.stopping()
        self._log.info("stopping", grace_seconds=grace)
        for loop in self._loops:
            if loop.running:
                loop.stop()
        if self.http is not None:
            await self._quietly("http", self.http.stop(min(grace, 5.0)))
        if self.sftp is not None:
            await self._quietly("sftp", self.sftp.stop(min(grace, 5.0)))
        await self._quietly("folders", self.folders.stop(min(grace, 5.0)))
        await self._quietly("sftp-client", self.remotes.stop(min(grace, 5.0)))
        await self._quietly("intake", self.intake.stop(grace))
        await self._quietly("judges", self.workers.stop(min(grace, 5.0)))
        if self.as2 is not None:
            await self._quietly("as2", self.as2.stop(min(grace, 5.0)))
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

    # ---- wiring

    async def _in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        return await deferToThreadPool(self._reactor, self._threads, function, *args)

    async def _receive_sftp(self, upload: Upload) -> str:
        return await self.intake.receive(upload, Transport.SFTP)

    async def _receive_remote(self, upload: Upload) -> str:
        return await self.intake.receive(upload, Transport.SFTP_REMOTE)

    async def _receive_folder(self, upload: Upload) -> str:
        return await self.intake.receive(upload, Transport.FOLDER)

    def _every(self, seconds: float, function: Callable[[], None]) -> None:
        loop = task.LoopingCall(function)
        loop.clock = self._reactor
        self._loops.append(loop)
        loop.start(seconds, now=False)

    def _revive_judges(self) -> None:
        pools = [("judges", self.workers)]
        if self.as2 is not None:
            pools.append(("crypto", self.as2.workers))
        for name, pool in pools:
            if pool.status().broken is not None:
                self._revive(name, pool)

    def _revive(self, name: str, pool: WorkerPool) -> None:
        self._log.warning("workers_restarted", pool=name, broken=pool.status().broken)
        defer.Deferred.fromCoroutine(pool.start()).addErrback(
            lambda failure: self._log.critical(
                "workers_still_broken", pool=name, error=str(failure.value)
            )
        )

    def _describe(self) -> str:
        broker = "available" if self.broker.available else "away"
        return (
            f"{self.intake.in_flight} being judged, {self.intake.waiting} waiting, broker {broker}"
        )

    def _say_status(self) -> None:
        self._notifier.status(self._describe())


async def _called(stop: Callable[[], Any]) -> None:
    result = stop()
    if result is not None:
        await result


def _cores() -> int:
    return len(os.sched_getaffinity(0))
