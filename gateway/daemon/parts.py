"""Every part of a gateway, built and wired; nothing is started here."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from gateway.config import Configuration
from gateway.daemon.alerting import alert_watch_of
from gateway.daemon.building import (
    broker_of,
    depths_of,
    judges_of,
    partner_trial_of,
    requests_of,
)
from gateway.daemon.commands import commands_of
from gateway.daemon.console import THREADS as CONSOLE_THREADS
from gateway.daemon.live import prepare_live
from gateway.daemon.watching import management_of, standing_watch_of
from gateway.model.interchange import Transport
from gateway.service.antivirus import Clamd
from gateway.service.as2 import As2Service
from gateway.service.audit import Audit
from gateway.service.certificate_watch import CertificateWatch
from gateway.service.clock_watch import ClockWatch
from gateway.service.console.sessions import Sessions
from gateway.service.control import Control
from gateway.service.delivery_watch import DeliveryWatch
from gateway.service.folder_watches import FolderWatches
from gateway.service.guessing import Guesses
from gateway.service.http_api import routes as api_routes
from gateway.service.http_server import Handler, HttpServer
from gateway.service.http_tokens import Tokens
from gateway.service.intake import Intake
from gateway.service.journal import Journal
from gateway.service.judges import Judges
from gateway.service.line_metrics import LineMetrics
from gateway.service.out_watch import OutWatch
from gateway.service.outbox import Outbox
from gateway.service.reload import Reload
from gateway.service.roster import Committed, Flows, Roster
from gateway.service.sftp_client import SftpClients
from gateway.service.sftp_server import SftpService, Stored, Upload
from gateway.service.spool_sweep import Sweeper
from gateway.service.status_sender import StatusSender
from gateway.service.ways_back import WaysBack
from gateway.spool import Spool

SPOOL_THREADS: Final = 4


class Parts:
    """The parts, by name. Those that the settings switch off are None.

    `sockets`: what systemd listens on for them, by name; what it does not, they open themselves.
    """

    def __init__(
        self,
        reactor: Any,
        configuration: Configuration,
        *,
        log: Any,
        sockets: Mapping[str, socket.socket] | None = None,
    ) -> None:
        self._reactor = reactor
        self._sockets = sockets or {}
        self._configuration = configuration
        self._settings = settings = configuration.settings
        self._log = log
        self.threads = ThreadPool(1, SPOOL_THREADS, name="spool")
        self.state = state = configuration.state
        self.roster = Roster(configuration.partners)
        self.flows = Flows(configuration.flows)
        self.committed = Committed(self.flows)
        self.journal = Journal(reactor, state / "journal.sqlite")
        self.line_metrics = LineMetrics()
        self.spool = Spool(state / "spool")
        self.workers = judges_of(reactor, configuration, log=log.bind(part="judges"))
        self.ways_back = WaysBack(
            state=state,
            partners=self.roster,
            spool=self.spool,
            in_thread=self.in_thread,
            log=log.bind(part="outbox"),
        )
        self.broker = broker_of(self, reactor, configuration, log=log.bind(part="amqp"))
        self.broker_queues = depths_of(self, reactor, configuration)
        self.outbox = Outbox(
            reactor,
            journal=self.journal,
            broker=self.broker,
            channels=self.ways_back.channels(),
            settings=settings.outbox,
            committed=self.committed,
            log=log.bind(part="outbox"),
            metrics=self.line_metrics,
        )
        self.delivery_watch = DeliveryWatch(
            reactor,
            journal=self.journal,
            late_hours=settings.outbox.late_hours,
            committed=self.committed,
            log=log.bind(part="outbox"),
        )
        self.standing_watch = standing_watch_of(self, reactor, log=log)
        self.clock_watch = ClockWatch(
            reactor, journal=self.journal, told=self.outbox.try_now, log=log.bind(part="clock")
        )
        self.scanner = Clamd(reactor, settings.antivirus) if settings.antivirus.address else None
        self.judges = Judges(self.workers)
        self.status_sender = StatusSender(
            reactor,
            journal=self.journal,
            spool=self.spool,
            in_thread=self.in_thread,
            checking=self.judges,
            partners=self.roster,
            we=settings.legal,
            inline_bytes=settings.outbox.inline_bytes,
            outbox_written=self.outbox.wake,
            log=log.bind(part="statuses"),
        )
        self.requests = None
        if settings.rabbitmq.requests_queue:
            self.requests = requests_of(self, reactor, configuration, log=log.bind(part="requests"))
        self.intake = Intake(
            reactor,
            journal=self.journal,
            spool=self.spool,
            in_thread=self.in_thread,
            judges=self.judges,
            partners=self.roster,
            scratch=state / "scratch",
            settings=settings.intake,
            judging=settings.judges,
            inline_bytes=settings.outbox.inline_bytes,
            outbox_written=self._written,
            event_written=self.outbox.wake_broker,
            log=log.bind(part="intake"),
            scanner=self.scanner,
            time_zone=settings.legal.time_zone,
            metrics=self.line_metrics,
        )
        self.tokens = Tokens(
            self.roster.values(), seconds=reactor.seconds, log=log.bind(part="http")
        )
        self.out_watch = OutWatch(self.journal, log=log.bind(part="sftp"))
        self.sftp = self._sftp() if settings.sftp.enabled else None
        self.folders = self.ways_back.folders = FolderWatches(
            reactor,
            partners=self.roster,
            spool=self.spool,
            max_file_bytes=settings.sftp.max_file_bytes,
            min_free_mb=settings.intake.min_free_mb,
            receive=self._receive_by(Transport.FOLDER),
            in_thread=self.in_thread,
            log=log.bind(part="folders"),
        )
        self.remotes = self.ways_back.remotes = SftpClients(
            reactor,
            partners=list(self.roster.values()),
            spool=self.spool,
            receive=self._receive_by(Transport.SFTP_REMOTE),
            recovered=self.outbox.try_now,
            max_file_bytes=settings.sftp.max_file_bytes,
            min_free_mb=settings.intake.min_free_mb,
            log=log.bind(part="sftp-client"),
        )
        self.as2 = self.ways_back.as2 = (
            self._as2() if settings.as2.id and settings.http.enabled else None
        )
        self.http = self._http() if settings.http.enabled else None
        self.certificates = CertificateWatch(configuration, log=log.bind(part="as2"))
        self.reload = Reload(
            reactor,
            configuration,
            in_thread=self.in_thread,
            roster=self.roster,
            flows=self.flows,
            judges=self.workers,
            tokens=self.tokens,
            as2=self.as2,
            sftp=self.sftp,
            folders=self.folders,
            remotes=self.remotes,
            certificates=self.certificates,
            others=partial(prepare_live, self),
            log=log.bind(part="reload"),
        )
        self.sweeper = Sweeper(
            reactor,
            journal=self.journal,
            spool=self.spool,
            in_thread=self.in_thread,
            log=log.bind(part="sweeper"),
            keep_hours=settings.intake.orphan_hours,
        )
        self.sessions = Sessions(settings.console, seconds=reactor.seconds)
        self.console_guesses = Guesses(
            "console", seconds=reactor.seconds, log=log.bind(part="console")
        )
        self.console_threads = ThreadPool(0, CONSOLE_THREADS, name="console")
        self.audit = Audit(self.journal)
        self.alerts = alert_watch_of(self, reactor, configuration, log=log.bind(part="alerts"))
        control_log = log.bind(part="control")
        self.partner_trial = partner_trial_of(self, reactor, configuration, log=control_log)
        self.commands = commands_of(self, reactor, configuration, log=control_log)
        self.control = Control(
            reactor,
            state / "control.sock",
            self.commands,
            log=control_log,
            audit=self.audit,
        )
        self.ready = False
        """Set once every door is open, until they close."""
        self.management = None
        if settings.management.enabled:
            self.management = management_of(
                self,
                reactor,
                configuration,
                log=log.bind(part="management"),
                given=self._sockets.get("management"),
            )

    async def in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run what waits for a disk, in one of a few threads."""
        return await deferToThreadPool(self._reactor, self.threads, function, *args)

    def _written(self) -> None:
        """Something is to be sent, or a report was written that statuses follow."""
        self.outbox.wake()
        self.status_sender.wake()

    def _receive_by(self, transport: Transport) -> Callable[[Upload | Stored], Any]:
        return partial(self.intake.receive, transport=transport)

    def _sftp(self) -> SftpService:
        return SftpService(
            self._reactor,
            settings=self._settings.sftp,
            partners=list(self.roster.values()),
            state=self.state,
            receive=self._receive_by(Transport.SFTP),
            out=self.out_watch,
            log=self._log.bind(part="sftp"),
            log_level=self._settings.log.level,
            given=self._sockets.get("sftp"),
        )

    def _as2(self) -> As2Service:
        return As2Service(
            self._reactor,
            self._configuration,
            receive=self.intake.receive,
            ready=self.intake.ready,
            journal=self.journal,
            spool=self.spool,
            in_thread=self.in_thread,
            otherwise=self.ways_back.otherwise,
            record=self.outbox.record,
            record_refusal=self.outbox.record_refusal,
            outbox_written=self.outbox.wake,
            log=self._log.bind(part="as2"),
        )

    def _http(self) -> HttpServer:
        return HttpServer(
            self._reactor,
            settings=self._settings.http,
            routes=self._routes(),
            incoming=self.spool.incoming,
            in_thread=self.in_thread,
            log=self._log.bind(part="http"),
            given=self._sockets.get("http"),
        )

    def _routes(self) -> dict[str, Handler]:
        """Who answers what over HTTP."""
        return {
            **(self.as2.routes if self.as2 else {}),
            **api_routes(
                tokens=self.tokens,
                partners=self.roster,
                receive=self.intake.receive,
                ready=self.intake.ready,
                journal=self.journal,
                spool=self.spool,
                in_thread=self.in_thread,
                max_bytes=self._settings.http.max_body_bytes,
                log=self._log.bind(part="http"),
            ),
        }
