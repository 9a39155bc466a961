"""The console of this gateway: its pages, given everything they show and do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from twisted.internet import task
from twisted.internet.threads import deferToThreadPool

from gateway.config import Configuration
from gateway.config.alert_settings import Alerts
from gateway.service.console import Live, Sources, console_routes
from gateway.service.console.reading import PageReader
from gateway.service.http_server import Handler
from gateway.service.roster import FlowNames

if TYPE_CHECKING:  # the parts are built with this
    from gateway.daemon.parts import Parts

THREADS = 3
"""They read the journal, hash passwords and look for files: never those of the spool."""


def console_of(
    parts: Parts,
    reactor: Any,
    configuration: Configuration,
    *,
    unready: Callable[[], str],
    log: Any,
) -> Mapping[str, Handler]:
    """Routes for the management listener. The parts they show must be built."""
    settings = configuration.settings

    async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
        return await deferToThreadPool(reactor, parts.console_threads, function, *args)

    def later(seconds: float) -> Awaitable[Any]:
        return task.deferLater(reactor, seconds)

    sources = Sources(
        settings=settings.console,
        reader=PageReader(parts.state / "journal.sqlite", in_thread),
        spool=parts.spool,
        partners=parts.roster,
        flows=FlowNames(parts.flows),
        destinations=[each.name for each in parts.outbox.destinations],
        committed=parts.committed,
        certificates=parts.certificates,
        rule_packs=configuration.rule_packs,
        alerts=partial(_alerts, parts, settings.alerts),
        commands=parts.commands,
        audit=parts.audit,
        sessions=parts.sessions,
        guesses=parts.console_guesses,
        in_thread=in_thread,
        later=later,
        receive=parts.intake.receive,
        ready=parts.intake.ready,
        live=partial(_live, parts),
        broker_queues=parts.broker_queues.known,
        unready=unready,
        incoming=parts.spool.incoming,
        max_upload_bytes=settings.http.max_body_bytes,
        log=log,
    )
    return console_routes(sources, late_hours=settings.outbox.late_hours)


def _alerts(parts: Parts, started_with: Alerts) -> Alerts:
    """The limits in force; whom to tell counts from the start."""
    return replace(
        parts.reload.settings.alerts, webhook=started_with.webhook, mail=started_with.mail
    )


def _live(parts: Parts) -> Live:
    pools = {"judges": parts.workers.status()}
    if parts.as2 is not None:
        pools["crypto"] = parts.as2.workers.status()
    return Live(
        in_flight=parts.intake.in_flight,
        waiting=parts.intake.waiting,
        broker=parts.broker.available,
        broken=tuple(name for name, status in pools.items() if status.broken is not None),
    )
