"""What an operator may say to the running gateway: every command of the control socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gateway.config import Configuration
from gateway.daemon.alerting import alert_handlers
from gateway.service.console.users import Users
from gateway.service.control import Handler
from gateway.service.doctor import Mender
from gateway.service.earlier_invoices import EarlierInvoices
from gateway.service.holds import Holds
from gateway.service.invoice_import import InvoiceImport
from gateway.service.judges import Judges
from gateway.service.legal_holds import LegalHolds
from gateway.service.purging import Purging
from gateway.service.quarantine import Quarantine
from gateway.service.replay import Replay
from gateway.service.replay_commit import Replaying
from gateway.service.replay_runs import ReplayRuns
from gateway.service.replays import Replays
from gateway.service.resend import Resending
from gateway.service.roster import FlowNames
from gateway.service.statistics import Statistics
from gateway.service.svrl_reports import SvrlReports

if TYPE_CHECKING:  # the parts are built with these
    from gateway.daemon.parts import Parts


def commands_of(
    parts: Parts, reactor: Any, configuration: Configuration, *, log: Any
) -> Mapping[str, Handler]:
    """By name. The parts they speak to must be built."""
    settings = configuration.settings
    journal, wake = parts.journal, parts.outbox.wake
    quarantine = Quarantine(journal, resume=parts.intake.resume, outbox_written=wake, log=log)
    replay = Replay(
        journal,
        spool=parts.spool,
        in_thread=parts.in_thread,
        judges=Judges(parts.workers),
        partners=parts.roster,
        scratch=parts.state / "scratch",
        settings=settings.intake,
        judging=settings.judges,
        log=log,
    )
    replaying = Replaying(
        journal,
        spool=parts.spool,
        in_thread=parts.in_thread,
        resume=parts.intake.resume,
        outbox_written=wake,
        log=log,
    )
    svrl = SvrlReports(
        reactor,
        journal=journal,
        spool=parts.spool,
        in_thread=parts.in_thread,
        judges=parts.judges,
        partners=parts.roster,
        scratch=parts.state / "scratch",
        settings=settings.intake,
        judging=settings.judges,
        log=log,
    )
    replays = Replays(journal, replay=replay, replaying=replaying, log=log)
    holds = Holds(
        journal,
        partners=parts.roster,
        flows=FlowNames(parts.flows),
        destinations=[each.name for each in parts.outbox.destinations],
        outbox_written=wake,
        log=log,
    )
    return {
        **alert_handlers(parts),
        "broker-queues": parts.broker_queues.answer,
        **parts.partner_trial.handlers(),
        **quarantine.handlers(),
        **parts.reload.handlers(),
        **replay.handlers(),
        **replaying.handlers(),
        **replays.handlers(),
        **ReplayRuns(replays, open_=lambda: parts.ready, log=log).handlers(),
        **InvoiceImport(journal, outbox_written=wake, log=log).handlers(),
        **EarlierInvoices(
            journal,
            spool=parts.spool,
            partners=parts.roster,
            in_thread=parts.in_thread,
            log=log,
        ).handlers(),
        **holds.handlers(),
        **LegalHolds(journal, partners=parts.roster, log=log).handlers(),
        **Purging(
            journal,
            spool=parts.spool,
            in_thread=parts.in_thread,
            partners=parts.roster,
            retention=lambda: parts.reload.settings.retention,
            log=log,
        ).handlers(),
        **svrl.handlers(),
        **Statistics(journal, spool=parts.spool, in_thread=parts.in_thread, log=log).handlers(),
        **Users(
            journal, partners=parts.roster, ended=parts.sessions.end_all_of, log=log
        ).handlers(),
        **Resending(journal, outbox_written=wake, log=log, partners=parts.roster).handlers(),
        **Mender(
            journal,
            path=parts.state / "journal.sqlite",
            spool=parts.spool,
            sweeper=parts.sweeper,
            in_thread=parts.in_thread,
            log=log,
        ).handlers(),
    }
