"""How things stand: what waits for a verdict and how long, what is overdue, the disk.

Looked at now and then, for Prometheus and for the alerts: not at each scrape, which may come from
several places at once and must not wait for the journal.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection

from gateway.model.as2 import MdnMode
from gateway.model.partner import Partner
from gateway.service.intake import InThread
from gateway.service.journal import Journal, standing_records
from gateway.service.journal.standing_records import Overdue
from gateway.service.looking import Looking

SECONDS: Final = 30.0


class Disk(msgspec.Struct, frozen=True):
    """The file system of the state directory, and the journal on it, in bytes."""

    free: int
    size: int
    journal: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How things stood at `at`.

    By partner: `unfinished` interchanges, those `unanswered` for longer than its `sla_minutes`,
    messages whose receipts are missing (`mdns`).
    """

    at: dt.datetime
    unfinished: Mapping[str, Overdue]
    quarantined: Overdue | None
    unanswered: Mapping[str, Overdue]
    mdns: Mapping[str, Overdue]
    disk: Disk


class StandingWatch:
    """`seen` is how things stood at the last look, None before the first.

    `https_until` says when the certificate expires that the HTTP listener shows; None without TLS.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal,
        partners: Mapping[str, Partner],
        state: Path,
        https_until: Callable[[], dt.datetime | None],
        in_thread: InThread,
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._partners = partners
        self._state = state
        self._https_until = https_until
        self._in_thread = in_thread
        self._log = log
        self._now = now
        self.seen: Standing | None = None
        self._looking = Looking(reactor, self.look, failed="standing_watch_failed", log=log)

    def start(self) -> None:
        """Look at once, then twice a minute."""
        self._looking.start(SECONDS)

    async def stop(self) -> None:
        """Look no more, and let the look under way end."""
        await self._looking.stop()

    async def look(self) -> Standing:
        """Look now."""
        now = self._now()
        disk = await self._in_thread(self._on_disk)
        enabled = [partner for partner in self._partners.values() if partner.enabled]
        minutes = {each.name: each.sla_minutes for each in enabled if each.sla_minutes}
        receipts = {
            each.name: each.as2.send.mdn_timeout_seconds
            for each in enabled
            if each.as2 is not None and each.as2.send.mdn is MdnMode.ASYNC
        }

        def read(conn: Connection) -> Standing:
            return Standing(
                at=now,
                unfinished=standing_records.unfinished(conn),
                quarantined=standing_records.quarantined(conn),
                unanswered=standing_records.unanswered(conn, minutes, now),
                mdns=standing_records.missing_mdns(conn, receipts, now),
                disk=disk,
            )

        seen: Standing = await self._journal.read("standing", read)
        self.seen = seen
        return seen

    def _on_disk(self) -> Disk:
        system = os.statvfs(self._state)
        journal = 0
        for name in ("journal.sqlite", "journal.sqlite-wal"):
            file = self._state / name
            journal += file.stat().st_size if file.exists() else 0
        free, size = (blocks * system.f_frsize for blocks in (system.f_bavail, system.f_blocks))
        return Disk(free, size, journal)

    def metrics(self) -> Iterator[Metric]:
        """For Prometheus; nothing before the first look."""
        seen, now = self.seen, self._now()
        if seen is None:
            return
        yield _gauge(
            "edi_gateway_standing_age_seconds",
            "How long ago the journal and the disk were looked at for the metrics that follow.",
            (now - seen.at).total_seconds(),
        )
        yield from _by_partner(
            "edi_gateway_unfinished_interchanges",
            "Interchanges without a verdict, all that the journal holds.",
            "edi_gateway_unfinished_oldest_seconds",
            "How long ago the oldest of them was received.",
            seen.unfinished,
            now,
        )
        yield from _by_partner(
            "edi_gateway_sla_missed_interchanges",
            "Interchanges whose acknowledgement has not left within the partner's sla_minutes.",
            "edi_gateway_sla_missed_oldest_seconds",
            "How long ago the oldest of them was received.",
            seen.unanswered,
            now,
        )
        yield from _by_partner(
            "edi_gateway_mdns_missing",
            "AS2 messages the partner took, whose asynchronous receipt (MDN) is overdue.",
            "edi_gateway_mdns_missing_oldest_seconds",
            "How long the oldest of them is overdue.",
            seen.mdns,
            now,
        )
        waiting = seen.quarantined
        yield _gauge(
            "edi_gateway_quarantined_interchanges",
            "Interchanges that could not be judged and wait for a human.",
            waiting.number if waiting else 0,
        )
        words = "The file system of the state directory: "
        yield _gauge("edi_gateway_disk_free_bytes", f"{words}free for the gateway.", seen.disk.free)
        yield _gauge("edi_gateway_disk_size_bytes", f"{words}all of it.", seen.disk.size)
        yield _gauge(
            "edi_gateway_journal_bytes", "Size of the journal with its log.", seen.disk.journal
        )
        if (until := self._https_until()) is not None:
            yield _gauge(
                "edi_gateway_https_certificate_expiry_days",
                "Days until the certificate of the HTTP listener expires, below 0 when it has.",
                (until - now).total_seconds() / 86_400,
            )


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _by_partner(
    name: str,
    words: str,
    oldest_name: str,
    oldest_words: str,
    found: Mapping[str, Overdue],
    now: dt.datetime,
) -> Iterator[Metric]:
    numbers = GaugeMetricFamily(name, words, labels=["partner"])
    oldest = GaugeMetricFamily(oldest_name, oldest_words, labels=["partner"])
    for partner, each in sorted(found.items()):
        numbers.add_metric([partner], each.number)
        oldest.add_metric([partner], max(0.0, (now - each.since).total_seconds()))
    yield from (numbers, oldest)
