"""What a soak looks at again and again, and what of it may grow.

A line is laid through the samples of a figure (least squares). What must not grow may rise along
that line, from the first sample to the last, by no more than is allowed: noise of a moment counts
little, a leak adds up. What grows by documents (journal, spool) may cost no more a document in the
second half than in the first.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import sqlalchemy as sa

from bench.memory import numbered
from bench.meters import processes
from gateway.service.journal import open_reader, records
from gateway.service.journal.tables import interchanges, outbox
from tests.gateway_process import GatewayProcess

MB: Final = 1_000_000
WAL_MB: Final = 140.0
"""Twice the size at which it is written back (64 MiB), for a reader may be in the way."""
FLAT: Final = 1.1
"""The second half's growth a document, over the first half's."""


class Sample(NamedTuple):
    """What was seen at `at` (seconds), when so many `documents` had been received.

    `figures`: name → value; `pids`: process → its id.
    """

    at: float
    documents: int
    figures: dict[str, float]
    pids: dict[str, int]


class Rule(NamedTuple):
    """What a figure may do.

    `rise`: so much, all in all. `most`: it may move, but never beyond. `per_document`: it grows by
    documents, and evenly.
    """

    unit: str
    rise: float | None = None
    most: float | None = None
    per_document: bool = False


class Judged(NamedTuple):
    """A figure over the whole soak; `allowed` in words; `good`: it did what it may."""

    name: str
    unit: str
    first: float
    last: float
    highest: float
    per_hour: float
    per_10_000: float
    allowed: str
    good: bool


PROCESS_RULES: Final = {
    "RSS": Rule("MB", rise=20.0),
    "descriptors": Rule("", rise=10.0),
    "threads": Rule("", rise=5.0),
}


def rules(rate: float) -> dict[str, Rule]:
    """Of what is not a process's, when so many documents a second are offered.

    What waits may be half a minute's documents more in the end than in the beginning, or so.
    """
    return {
        "journal": Rule("MB", per_document=True),
        "journal's log (WAL)": Rule("MB", most=WAL_MB),
        "spool": Rule("MB", per_document=True),
        "spool, files": Rule("", per_document=True),
        "outbox": Rule("rows", rise=30 * rate),
        "not yet acknowledged": Rule("files", rise=30 * rate),
        "latency, median": Rule("s", rise=5.0),
        "latency, 95 of 100": Rule("s", rise=15.0),
    }


class Meters:
    """Takes samples of a running gateway."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway
        self._journal = gateway.state / "journal.sqlite"
        self._engine = open_reader(self._journal)
        self._reports_from = 0
        self._latency = (0.0, 0.0)

    def sample(self) -> Sample:
        """What there is to see now."""
        named = numbered(processes(self._gateway))
        figures: dict[str, float] = {}
        for process, name in named.items():
            figures[f"{name}: RSS"] = process.memory_info().rss / 1024**2
            figures[f"{name}: descriptors"] = process.num_fds()
            figures[f"{name}: threads"] = process.num_threads()
        with self._engine.connect() as conn:
            counts = records.counts(conn)
            pages, size = (
                conn.exec_driver_sql(f"PRAGMA {what}").scalar_one()
                for what in ("page_count", "page_size")
            )
            self._look_at_reports(conn)
        received = sum(counts.interchanges.values())
        done = sum(n for state, n in counts.interchanges.items() if state.value == "acknowledged")
        figures["journal"] = pages * size / MB
        figures["journal's log (WAL)"] = _size(Path(f"{self._journal}-wal")) / MB
        figures["spool"], figures["spool, files"] = _spool(self._gateway.state / "spool")
        figures["outbox"] = sum(waiting.pending for waiting in counts.outbox.values())
        figures["not yet acknowledged"] = received - done
        figures["latency, median"], figures["latency, 95 of 100"] = self._latency
        pids = {name: process.pid for process, name in named.items()}
        return Sample(time.monotonic(), received, figures, pids)

    def _look_at_reports(self, conn: sa.Connection) -> None:
        """From receipt to delivery, of the reports delivered since; else what it was before."""
        query = (
            sa.select(outbox.c.id, outbox.c.delivered_at, interchanges.c.received_at)
            .join(interchanges, interchanges.c.id == outbox.c.interchange_id)
            .where(
                outbox.c.id > self._reports_from,
                outbox.c.kind == "report",
                outbox.c.destination != records.BROKER,
            )
            .order_by(outbox.c.id)
        )
        waits = []
        now = dt.datetime.now(dt.UTC)
        seen = self._reports_from
        complete = True
        for number, delivered, received in conn.execute(query):
            waits.append(((delivered or now) - received).total_seconds())
            complete = complete and delivered is not None
            if complete:
                seen = number  # those after one that waits are looked at again
        self._reports_from = seen
        if waits:
            waits.sort()
            self._latency = (waits[len(waits) // 2], waits[len(waits) * 95 // 100])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _spool(folder: Path) -> tuple[float, int]:
    """MB and number of files below."""
    total, count = 0, 0
    for at, _, names in os.walk(folder):
        for name in names:
            total += _size(Path(at, name))
            count += 1
    return total / MB, count


def judge(samples: Sequence[Sample], rate: float) -> list[Judged]:
    """Every figure of the samples against its rule. Raises ValueError when there are too few."""
    if len(samples) < 4:
        raise ValueError(f"{len(samples)} samples say nothing about growth")
    of_all = rules(rate)
    names = sorted({name for sample in samples for name in sample.figures})
    return [
        _judged(name, samples, of_all.get(name) or PROCESS_RULES[name.partition(": ")[2]])
        for name in names
    ]


def replaced(samples: Sequence[Sample]) -> list[str]:
    """Processes that are not those of the beginning: each is one that died."""
    first = samples[0].pids
    return sorted(
        {
            name
            for each in samples
            for name in each.pids | first
            if each.pids.get(name) != first.get(name)
        }
    )


def _judged(name: str, samples: Sequence[Sample], rule: Rule) -> Judged:
    with_it = [sample for sample in samples if name in sample.figures]
    values = [sample.figures[name] for sample in with_it]
    by_time = slope(with_it, name, lambda sample: sample.at)
    by_documents = slope(with_it, name, lambda sample: sample.documents)
    rise = by_time * (with_it[-1].at - with_it[0].at)
    if rule.per_document:
        half = len(with_it) // 2
        early = slope(with_it[: half + 1], name, lambda sample: sample.documents)
        late = slope(with_it[half:], name, lambda sample: sample.documents)
        good = late <= FLAT * early
        allowed = f"a document, late ≤ {FLAT} × early: {_ratio(late, early)}"
    elif rule.most is not None:
        good, allowed = max(values) <= rule.most, f"never above {rule.most:.0f}"
    else:
        assert rule.rise is not None
        good, allowed = rise <= rule.rise, f"in all +{rule.rise:.0f}: {rise:+.1f}"
    return Judged(
        name,
        rule.unit,
        values[0],
        values[-1],
        max(values),
        3600 * by_time,
        10_000 * by_documents,
        allowed,
        good,
    )


def _ratio(late: float, early: float) -> str:
    return f"{late / early:.2f}" if early > 0 else f"{late:.3g} after {early:.3g}"


def slope(samples: Sequence[Sample], name: str, along: Callable[[Sample], float]) -> float:
    """How steep the line through the samples is; 0 when there is no line."""
    xs = [along(sample) for sample in samples]
    ys = [sample.figures[name] for sample in samples]
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    width = sum((x - middle_x) ** 2 for x in xs)
    if not width:
        return 0.0
    return sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / width
