"""What others may see of the running gateway: its metrics, and whether it takes files in."""

from __future__ import annotations

import datetime as dt
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from prometheus_client.core import Metric

from gateway.config import Configuration
from gateway.daemon.alerting import alert_metrics
from gateway.daemon.console import console_of
from gateway.service.delivery_metrics import delivery_metrics
from gateway.service.http_server import Handler
from gateway.service.management import ManagementServer
from gateway.service.metrics import (
    GatewayMetrics,
    login_metrics,
    request_metrics,
    sftp_metrics,
)
from gateway.service.standing_metrics import StandingWatch
from gateway.service.worker_jobs import PoolStatus

if TYPE_CHECKING:  # the parts are built with this
    from gateway.daemon.parts import Parts


def management_of(
    parts: Parts,
    reactor: Any,
    configuration: Configuration,
    *,
    log: Any,
    given: socket.socket | None,
) -> ManagementServer:
    """The listener. The parts it tells of must be built."""
    settings = configuration.settings
    unready = partial(_unready, parts)
    console: Mapping[str, Handler] = {}
    if settings.console.enabled:
        console = console_of(
            parts, reactor, configuration, unready=unready, log=log.bind(part="console")
        )
    return ManagementServer(
        reactor,
        settings.management,
        metrics=metrics_of(parts),
        unready=unready,
        log=log,
        incoming=parts.spool.incoming,
        in_thread=parts.in_thread,
        console=console,
        max_body_bytes=settings.http.max_body_bytes,
        given=given,
    )


def pools_of(parts: Parts) -> dict[str, Callable[[], PoolStatus]]:
    """The worker processes, by what they do."""
    pools: dict[str, Callable[[], PoolStatus]] = {"judges": parts.workers.status}
    if parts.as2 is not None:
        pools["crypto"] = parts.as2.workers.status
    return pools


def standing_watch_of(parts: Parts, reactor: Any, *, log: Any) -> StandingWatch:
    """What looks at the journal and at the disk; journal and roster must be built."""
    return StandingWatch(
        reactor,
        journal=parts.journal,
        partners=parts.roster,
        state=parts.state,
        https_until=lambda: parts.http.certificate_until if parts.http is not None else None,
        in_thread=parts.in_thread,
        log=log.bind(part="standing"),
    )


def metrics_of(parts: Parts) -> GatewayMetrics:
    """Every number the parts have to show."""
    return GatewayMetrics(
        certificates=parts.certificates,
        pools=pools_of(parts),
        as2=parts.as2.outcomes if parts.as2 is not None else Counter(),
        unmapped=parts.judges.unmapped,
        statuses=parts.intake.statuses,
        gauges=_gauges(parts),
        more=partial(_more, parts),
    )


def _gauges(parts: Parts) -> dict[str, tuple[str, Callable[[], float]]]:
    """Name → what it says, and its value now."""
    return {
        "interchanges_in_flight": (
            "Interchanges being judged.",
            lambda: parts.intake.in_flight,
        ),
        "interchanges_waiting": (
            "Interchanges that wait for their turn.",
            lambda: parts.intake.waiting,
        ),
        "acknowledgements_never_fetched": (
            "Files that expired in out/ since the start and were never fetched.",
            lambda: parts.out_watch.never_fetched,
        ),
        "statuses_not_sent": (
            "Attempts since the start that left statuses of invoices unsent.",
            lambda: parts.status_sender.failed,
        ),
        "broker_available": (
            "1 when publications can be sent.",
            lambda: parts.broker.available,
        ),
    }


def _more(parts: Parts) -> Iterator[Metric]:
    yield from parts.line_metrics.metrics()
    yield from parts.standing_watch.metrics()
    yield from alert_metrics(parts.alerts)
    yield from delivery_metrics(parts.delivery_watch.seen, dt.datetime.now(dt.UTC))
    guesses = {
        "http": parts.tokens.guesses.outcomes,
        "console": parts.console_guesses.outcomes,
    }
    if parts.sftp is not None:
        guesses["sftp"] = parts.sftp.guesses.outcomes
        yield from sftp_metrics(parts.sftp.deaths)
    yield from login_metrics(guesses)
    if parts.requests is not None:
        yield from request_metrics(parts.requests.outcomes)


def _unready(parts: Parts) -> str:
    """Why nothing is taken in now; "" when something is. A broker that is away is no reason."""
    if not parts.ready:
        return "The gateway is starting or stopping."
    if parts.sftp is not None and parts.sftp.broken is not None:
        return "The SFTP processes do not start."
    if parts.as2 is not None and parts.as2.workers.status().broken is not None:
        return "The crypto workers do not start."
    return ""
