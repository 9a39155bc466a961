"""Puts the alerts together: what they are decided by, whom they are told, what an operator asks."""

from __future__ import annotations

import datetime as dt
import random
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client.core import GaugeMetricFamily, Metric

from gateway.config import Configuration
from gateway.model.interchange import Environment
from gateway.model.verdict import Language
from gateway.service.alerting.facts import Expiry, Facts
from gateway.service.alerting.kinds import AlertKind
from gateway.service.alerting.rejections import Window
from gateway.service.alerting.telling import Sender, Teller
from gateway.service.alerting.watch import AlertWatch
from gateway.service.alerting.webhook import WebhookSender
from gateway.service.control import Handler
from gateway.service.worker_jobs import WORKING

if TYPE_CHECKING:  # the parts are built with this
    from gateway.daemon.parts import Parts


def alert_watch_of(
    parts: Parts, reactor: Any, configuration: Configuration, *, log: Any
) -> AlertWatch:
    """The watch over everything. The parts it asks must be built."""
    settings = configuration.settings.alerts
    senders: list[Sender] = []
    if settings.webhook.url:
        senders.append(WebhookSender(reactor, settings.webhook))
    if settings.mail.host:
        # Late: as it is imported, Twisted's mail asks the resolver for this machine's name.
        from gateway.service.alerting.mail import MailSender

        language = Language(settings.language)
        senders.append(MailSender(reactor, settings.mail, language, log=log))
    return AlertWatch(
        reactor,
        journal=parts.journal,
        settings=lambda: parts.reload.settings.alerts,
        gateway=settings.name or socket.gethostname(),
        facts=_Asking(parts, configuration).facts,
        tellers=[
            Teller(
                reactor,
                sender,
                journal=parts.journal,
                log=log,
                rng=random.Random(),  # noqa: S311  # spreads attempts, hides nothing
                now=_now,
            )
            for sender in senders
        ],
        log=log,
    )


class _Asking:
    """Asks the parts how they stand."""

    def __init__(self, parts: Parts, configuration: Configuration) -> None:
        settings = configuration.settings
        self._parts = parts
        self._late_hours = settings.outbox.late_hours
        self._window = Window()
        self._unlooked = parts.delivery_watch.seen
        self._https = settings.http.tls.certificate_file
        self._management = settings.management.tls.certificate_file
        self._broken: dict[str, dt.datetime] = {}

    def facts(self) -> Facts:
        """How everything stands now."""
        parts, now = self._parts, _now()
        deliveries = parts.delivery_watch.seen
        limits = parts.reload.settings.alerts
        rejections = self._window.look(
            parts.line_metrics.verdicts,
            now,
            minutes=limits.reject_minutes,
            documents=limits.reject_documents,
            without=self._trying(),
        )
        return Facts(
            standing=parts.standing_watch.seen,
            deliveries=None if deliveries is self._unlooked else deliveries,
            broken=self._broken_pools(now),
            rejections=rejections,
            counted=self._window.full,
            expiries=tuple(self._expiries()),
            promised=self._promised(),
            warning_days=parts.certificates.warning_days,
            late_hours=self._late_hours,
        )

    def _trying(self) -> set[str]:
        """Partners that try things out: of these rejections are to be expected."""
        roster = self._parts.roster
        return {name for name, each in roster.items() if each.environment is Environment.TEST}

    def _broken_pools(self, now: dt.datetime) -> Mapping[str, dt.datetime]:
        pools: dict[str, Callable[[], Any]] = {"judges": self._parts.workers.status}
        if self._parts.as2 is not None:
            pools["crypto"] = self._parts.as2.workers.status
        for name, status in pools.items():
            found = status()
            if found.broken is not None:
                self._broken.setdefault(name, now)
            elif any(worker.state in WORKING for worker in found.workers):
                # Those that only try to start once more may take long, and fail like the others.
                self._broken.pop(name, None)
        return dict(self._broken)

    def _expiries(self) -> Iterator[Expiry]:
        for held in self._parts.certificates.last_of_each():
            until = held.certificate.not_valid_after_utc
            ours = held.owner is None
            yield Expiry("ours" if ours else "", held.owner or "", held.file.name, until)
        listeners = (
            ("https", self._parts.http, self._https),
            ("management", self._parts.management, self._management),
        )
        for subject, listener, file in listeners:
            if listener is not None and listener.certificate_until is not None:
                name = file.rpartition("/")[2]
                yield Expiry(subject, "", name, listener.certificate_until)

    def _promised(self) -> dict[str, int]:
        return {name: each.sla_minutes for name, each in self._parts.roster.items()}


def alert_handlers(parts: Parts) -> Mapping[str, Handler]:
    """For the control socket."""

    async def trial(_arguments: dict[str, Any]) -> dict[str, Any]:
        told = await parts.alerts.trial()
        return {"receivers": [{"receiver": name, "error": error} for name, error in told]}

    return {"alerts-test": trial}


def alert_metrics(watch: AlertWatch) -> Iterator[Metric]:
    """What is on, and what could not be told yet; nothing until that is known."""
    on = GaugeMetricFamily("edi_gateway_alerts", "Alerts that are on, by kind.", labels=["kind"])
    if watch.on is not None:
        kinds = [row.kind for row in watch.on.values()]
        for kind in AlertKind:
            on.add_metric([kind.value], kinds.count(kind.value))
    unsent = GaugeMetricFamily(
        "edi_gateway_alert_messages_unsent",
        "Messages about alerts that a receiver (webhook, mail) has not got yet.",
        labels=["receiver"],
    )
    for receiver, number in sorted(watch.unsent.items()):
        unsent.add_metric([receiver], number)
    yield from (on, unsent)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
