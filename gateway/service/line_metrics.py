"""What passed the line since this process began, and how long each stage of it took.

Counted in memory where it happens, in the reactor's thread: two or three additions for a file, and
nothing is written. So the numbers begin anew with each process, as Prometheus expects of counters.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from bisect import bisect_left
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from gateway.errors import (
    BrokerUnavailable,
    DeliveryAwaited,
    DeliveryRefused,
    DestinationAway,
    GatewayError,
    MessageReturned,
    PublicationRefused,
)
from gateway.model.interchange import Interchange
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.verdict import Finding, Judgement, Layer, Rejected, Severity
from gateway.service.journal.rows import OutboxRow

_Labels = TypeVar("_Labels", bound=tuple[str, ...])

NO_FLOW: Final = "none"
STAGE_SECONDS: Final = (
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0),
)
STEP_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
MOST_FAMILIES: Final = 500
"""Series of rejections; packs have some 150. Beyond that the family is `other`."""
MOST_LETTERS: Final = 60
"""Of a family's name: rules of an operator's own may be called anything."""
MOST_OPEN: Final = 10_000
"""Interchanges whose last verdict is kept in mind until they are settled."""

_NUMBER: Final = re.compile(r"(?<=\w)-?\d{1,9}[A-Za-z]?(?:_.{0,200})?$")


class Histogram:
    """Observations by bucket, one row of them for each label."""

    def __init__(self, name: str, words: str, labels: tuple[str, ...], bounds: tuple[float, ...]):
        self._name = name
        self._words = words
        self._labels = labels
        self._bounds = bounds
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def observe(self, labels: tuple[str, ...], value: float) -> None:
        """One more. A clock that was set back makes no negative duration."""
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = [0] * (len(self._bounds) + 1)
            self._sums[labels] = 0.0
        counts[bisect_left(self._bounds, value)] += 1
        self._sums[labels] += max(0.0, value)

    def metric(self) -> Metric:
        """For Prometheus."""
        family = HistogramMetricFamily(self._name, self._words, labels=self._labels)
        for labels, counts in sorted(self._counts.items()):
            total, buckets = 0, []
            for bound, count in zip((*map(str, self._bounds), "+Inf"), counts, strict=True):
                total += count
                buckets.append((bound, float(total)))
            family.add_metric(list(labels), buckets=buckets, sum_value=self._sums[labels])
        return family


class LineMetrics:
    """Hears of every step from those that take it."""

    def __init__(self) -> None:
        self.verdicts = Counter[tuple[str, str, str]]()
        """By flow, partner and verdict: what the alert about rejections goes by."""
        self._files = Counter[tuple[str, str]]()
        self._bytes = Counter[tuple[str]]()
        self._resent = Counter[tuple[str]]()
        self._documents = Counter[tuple[str, str, str]]()
        self._rejections = Counter[tuple[str, str, str, str]]()
        self._closed = Counter[tuple[str, str]]()
        self._attempts = Counter[tuple[str, str]]()
        self._judged_at: OrderedDict[str, dt.datetime] = OrderedDict()
        self._stages = Histogram(
            "edi_gateway_stage_seconds",
            "How long a stage took: judged (receipt to a document's verdict), settled (the last"
            " verdict to the interchange's report), published (a verdict to the broker's confirm),"
            " acknowledged (the report to its delivery to the partner).",
            ("stage", "flow"),
            STAGE_SECONDS,
        )
        self._steps = Histogram(
            "edi_gateway_judging_step_seconds",
            "How long a judge worked at one step of a document.",
            ("step",),
            STEP_SECONDS,
        )

    # ---- what happens

    def received(self, interchange: Interchange, *, new: bool) -> None:
        """A file is ours; or it was before, and was sent once more."""
        channel = interchange.envelope.transport.value
        if not new:
            self._resent[channel,] += 1
            return
        self._files[channel, interchange.envelope.partner] += 1
        self._bytes[channel,] += interchange.size

    def judged(
        self,
        interchange: Interchange,
        judgement: Judgement,
        state: DocumentState,
        *,
        again: bool,
        now: dt.datetime,
    ) -> None:
        """A verdict was written. `again`: it was judged before, by an operator's word."""
        flow = judgement.flow or NO_FLOW
        environment = interchange.environment.value
        self.verdicts[flow, interchange.envelope.partner, state.value] += 1
        self._documents[environment, flow, state.value] += 1
        if not again:
            waited = (now - interchange.envelope.received_at).total_seconds()
            self._stages.observe(("judged", flow), waited)
        for step, milliseconds in judgement.timings_ms.items():
            self._steps.observe((step,), milliseconds / 1000)
        if isinstance(judgement.verdict, Rejected):
            for layer, family in families(judgement.findings):
                self._rejections[self._bounded(environment, flow, layer, family)] += 1
        self._judged_at[interchange.id] = now
        if len(self._judged_at) > MOST_OPEN:
            self._judged_at.popitem(last=False)

    def closed(
        self, interchange: Interchange, flow: str | None, state: InterchangeState, now: dt.datetime
    ) -> None:
        """The report was written that ends an interchange."""
        self._closed[flow or NO_FLOW, state.value] += 1
        judged_at = self._judged_at.pop(interchange.id, None)
        if judged_at is not None:
            self._stages.observe(("settled", flow or NO_FLOW), (now - judged_at).total_seconds())

    def attempted(self, row: OutboxRow, error: GatewayError | None, now: dt.datetime) -> None:
        """A message was sent, or was not. One that is sent once more says nothing of stages."""
        self._attempts[row.destination, _outcome(error)] += 1
        if error is not None or row.delivered_at is not None:
            return
        flow = str(row.headers.get("flow", NO_FLOW))
        waited = (now - row.created_at).total_seconds()
        if row.kind == "document":
            self._stages.observe(("published", flow), waited)
        elif row.kind == "report" and row.destination != "broker":
            self._stages.observe(("acknowledged", flow), waited)

    # ---- for Prometheus

    def metrics(self) -> Iterator[Metric]:
        """All of it."""
        yield _counter(
            "edi_gateway_received_files",
            "Files that were taken in, by the channel they came by and the partner they are of.",
            ("channel", "partner"),
            self._files,
        )
        yield _counter(
            "edi_gateway_received_bytes",
            "Bytes of the files that were taken in.",
            ("channel",),
            self._bytes,
        )
        yield _counter(
            "edi_gateway_resent_files",
            "Files that were here before and were sent once more: answered again, not judged.",
            ("channel",),
            self._resent,
        )
        yield _counter(
            "edi_gateway_documents",
            "Verdicts: accepted, rejected, undetermined (it is tried again), quarantined; in"
            " production, or of a partner's tests.",
            ("environment", "flow", "verdict"),
            self._documents,
        )
        yield _counter(
            "edi_gateway_rejections",
            "Rejected documents in which a rule of this family objected. A document counts once"
            " for each of its families: BR-CO-15 is of the family BR-CO.",
            ("environment", "flow", "layer", "family"),
            self._rejections,
        )
        yield _counter(
            "edi_gateway_interchanges_closed",
            "Interchanges that came to an end: settled, refused, quarantined.",
            ("flow", "state"),
            self._closed,
        )
        yield _counter(
            "edi_gateway_delivery_attempts",
            "Attempts to send a message: delivered, failed, refused (the destination said no to"
            " this message), awaited (its receipt comes later), away (nobody answers there).",
            ("destination", "outcome"),
            self._attempts,
        )
        yield self._stages.metric()
        yield self._steps.metric()

    def _bounded(
        self, environment: str, flow: str, layer: Layer, family: str
    ) -> tuple[str, str, str, str]:
        labels = (environment, flow, layer.value, family)
        if labels in self._rejections or len(self._rejections) < MOST_FAMILIES:
            return labels
        return (environment, flow, layer.value, "other")


def families(findings: tuple[Finding, ...]) -> set[tuple[Layer, str]]:
    """The families of the rules that rejected a document, each once."""
    return {
        (finding.layer, family_of(finding.rule))
        for finding in findings
        if finding.severity is Severity.ERROR
    }


@functools.lru_cache(maxsize=4096)
def family_of(rule: str) -> str:
    """BR-CO of BR-CO-15, BR-FR-CO of BR-FR-CO-05_BT-3; of a rule without a number, itself."""
    return (_NUMBER.sub("", rule) or rule)[:MOST_LETTERS]


def _outcome(error: GatewayError | None) -> str:
    match error:
        case None:
            return "delivered"
        case DeliveryAwaited():
            return "awaited"
        case BrokerUnavailable() | DestinationAway():
            return "away"
        case MessageReturned() | PublicationRefused() | DeliveryRefused():
            return "refused"
    return "failed"


def _counter(
    name: str, words: str, labels: tuple[str, ...], numbers: Mapping[_Labels, int]
) -> Metric:
    family = CounterMetricFamily(name, words, labels=labels)
    for values, number in sorted(numbers.items()):
        family.add_metric(values, number)
    return family
