"""What passes the line is counted, and how long each stage took."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import msgspec
import pytest

from gateway.errors import (
    BrokerUnavailable,
    DeliveryAwaited,
    DeliveryFailed,
    DeliveryRefused,
    GatewayError,
    MessageReturned,
)
from gateway.model.interchange import Environment, Interchange
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.verdict import Accepted, Finding, Layer, Rejected, Severity
from gateway.service import line_metrics
from gateway.service.journal import records
from gateway.service.line_metrics import Histogram, LineMetrics, family_of
from tests.service.journalling import NOW, a_judgement, an_interchange, later

ACCEPTED = Accepted(invoice=b"{}")


def found(metrics: LineMetrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """(name, labels) → value."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for metric in metrics.metrics()
        for sample in metric.samples
    }


def value(metrics: LineMetrics, name: str, **labels: str) -> float:
    """One of them."""
    return found(metrics)[f"edi_gateway_{name}", tuple(sorted(labels.items()))]


def error(rule: str, severity: Severity = Severity.ERROR) -> Finding:
    """A finding of the official rules."""
    return Finding(rule=rule, layer=Layer.SCHEMATRON, severity=severity, message="m")


def judged(
    metrics: LineMetrics,
    number: int,
    verdict: Any,
    state: DocumentState,
    *,
    interchange: Interchange | None = None,
) -> None:
    """It was received `number` seconds after NOW and judged ten seconds later."""
    judgement = a_judgement(number, verdict=verdict)
    of = interchange or an_interchange(number)
    metrics.judged(of, judgement, state, again=False, now=later(number + 10))


def test_files_and_bytes_by_channel() -> None:
    """A resend is no file more."""
    metrics = LineMetrics()
    metrics.received(an_interchange(1), new=True)
    metrics.received(an_interchange(2), new=True)
    metrics.received(an_interchange(1), new=False)
    assert value(metrics, "received_files_total", channel="sftp", partner="acme") == 2
    assert value(metrics, "received_bytes_total", channel="sftp") == 30_000
    assert value(metrics, "resent_files_total", channel="sftp") == 1


def test_rejections_by_family_once_for_each_document() -> None:
    """Two rules of a family are one rejection; a warning is none."""
    metrics = LineMetrics()
    found_ = (
        *(error("BR-CO-15"), error("BR-CO-16"), error("BR-FR-09")),
        error("BR-S-08", Severity.WARNING),
    )
    judged(metrics, 1, Rejected(found_), DocumentState.REJECTED)
    judged(metrics, 2, Rejected((error("BR-CO-10"),)), DocumentState.REJECTED)
    judged(metrics, 3, ACCEPTED, DocumentState.ACCEPTED)
    flow = a_judgement().flow or ""
    families = {
        dict(labels)["family"]: number
        for (name, labels), number in found(metrics).items()
        if name == "edi_gateway_rejections_total"
    }
    assert families == {"BR-CO": 2, "BR-FR": 1}
    production = {"environment": "production", "flow": flow}
    assert value(metrics, "documents_total", verdict="rejected", **production) == 2
    assert value(metrics, "documents_total", verdict="accepted", **production) == 1


def test_what_partners_try_out_is_counted_by_itself() -> None:
    """Verdicts and families of a test are none of production's."""
    metrics = LineMetrics()
    trial = msgspec.structs.replace(an_interchange(1), environment=Environment.TEST)
    judged(metrics, 1, Rejected((error("BR-CO-10"),)), DocumentState.REJECTED, interchange=trial)
    judged(metrics, 2, ACCEPTED, DocumentState.ACCEPTED)
    counted = {
        (name, dict(labels)["environment"]): number
        for (name, labels), number in found(metrics).items()
        if "environment" in dict(labels)
    }
    assert counted == {
        ("edi_gateway_documents_total", "test"): 1,
        ("edi_gateway_documents_total", "production"): 1,
        ("edi_gateway_rejections_total", "test"): 1,
    }


@pytest.mark.parametrize(
    ("rule", "family"),
    [
        *(("BR-CO-15", "BR-CO"), ("BR-01", "BR"), ("BR-CL-10", "BR-CL"), ("BR-FR-12a", "BR-FR")),
        *(("UBL-CR-001", "UBL-CR"), ("PEPPOL-EN16931-R010", "PEPPOL-EN16931-R")),
        *(("FX-SCH-A-000372", "FX-SCH-A"), ("BR-FR-CO-05_BT-3", "BR-FR-CO"), ("7", "7")),
        ("XML-MALFORMED", "XML-MALFORMED"),
    ],
)
def test_the_family_of_a_rule(rule: str, family: str) -> None:
    """What stands before its number; without one, the rule itself."""
    assert family_of(rule) == family


def test_families_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rules of its own an operator has."""
    monkeypatch.setattr(line_metrics, "MOST_FAMILIES", 3)
    metrics = LineMetrics()
    for number in range(10):
        rule = f"RULE-{chr(65 + number)}-1"
        judged(metrics, number, Rejected((error(rule),)), DocumentState.REJECTED)
    families = [
        dict(labels)["family"]
        for name, labels in found(metrics)
        if name == "edi_gateway_rejections_total"
    ]
    assert families == ["RULE-A", "RULE-B", "RULE-C", "other"]
    assert len(family_of("X" * 1000)) == line_metrics.MOST_LETTERS


def test_stages_until_the_report() -> None:
    """Receipt to verdict, the last verdict to the report; an interchange judged again is not in."""
    metrics = LineMetrics()
    interchange = an_interchange(0)
    judgement = a_judgement(1, verdict=ACCEPTED)
    for seconds in (3, 8):
        metrics.judged(
            interchange, judgement, DocumentState.ACCEPTED, again=False, now=later(seconds)
        )
    metrics.judged(interchange, judgement, DocumentState.ACCEPTED, again=True, now=later(9))
    metrics.closed(interchange, judgement.flow, InterchangeState.SETTLED, later(11))
    metrics.closed(interchange, judgement.flow, InterchangeState.SETTLED, later(5000))
    flow = judgement.flow or ""
    assert value(metrics, "stage_seconds_count", stage="judged", flow=flow) == 2
    assert value(metrics, "stage_seconds_sum", stage="judged", flow=flow) == 11
    assert value(metrics, "stage_seconds_bucket", stage="judged", flow=flow, le="5.0") == 1
    assert value(metrics, "stage_seconds_bucket", stage="judged", flow=flow, le="+Inf") == 2
    assert value(metrics, "stage_seconds_count", stage="settled", flow=flow) == 1
    assert value(metrics, "stage_seconds_sum", stage="settled", flow=flow) == 2
    assert value(metrics, "interchanges_closed_total", flow=flow, state="settled") == 2


def a_row(kind: str, destination: str, **changed: Any) -> records.OutboxRow:
    """A message of this kind, written at NOW."""
    fields: dict[str, Any] = dict.fromkeys(records.OutboxRow.__struct_fields__, "")
    fields |= {"kind": kind, "destination": destination, "created_at": NOW, "delivered_at": None}
    fields |= {"headers": {"flow": "b2g-invoice"}}
    return records.OutboxRow(**{**fields, **changed})


def test_stages_after_the_report() -> None:
    """What is confirmed for the first time; a report's copy to the broker is no delivery of it."""
    metrics = LineMetrics()
    metrics.attempted(a_row("document", "broker"), None, later(2))
    metrics.attempted(a_row("report", "broker"), None, later(2))
    metrics.attempted(a_row("report", "as2"), None, later(40))
    metrics.attempted(a_row("report", "as2", delivered_at=later(5)), None, later(9000))
    metrics.attempted(a_row("event", "broker"), None, later(2))
    for stage, seconds in (("published", 2), ("acknowledged", 40)):
        labels = {"stage": stage, "flow": "b2g-invoice"}
        assert value(metrics, "stage_seconds_count", **labels) == 1
        assert value(metrics, "stage_seconds_sum", **labels) == seconds
    assert value(metrics, "delivery_attempts_total", destination="broker", outcome="delivered") == 3


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("awaited", DeliveryAwaited("a receipt", seconds=1.0)),
        ("away", BrokerUnavailable("away")),
        ("refused", DeliveryRefused("no")),
        ("refused", MessageReturned("no queue")),
        ("failed", DeliveryFailed("no")),
    ],
)
def test_attempts_that_fail(outcome: str, error: GatewayError) -> None:
    """By what came of them; none is a stage that ended."""
    metrics = LineMetrics()
    metrics.attempted(a_row("report", "as2"), error, later(40))
    assert value(metrics, "delivery_attempts_total", destination="as2", outcome=outcome) == 1
    assert not [name for name, _ in found(metrics) if "stage_seconds" in name]


def test_steps_of_judging_in_seconds() -> None:
    """As the judge says them, in milliseconds."""
    metrics = LineMetrics()
    judgement = msgspec.structs.replace(
        a_judgement(1, verdict=ACCEPTED), timings_ms={"xsd": 2.0, "schematron": 40.0}
    )
    metrics.judged(an_interchange(1), judgement, DocumentState.ACCEPTED, again=False, now=later(2))
    assert value(metrics, "judging_step_seconds_sum", step="schematron") == pytest.approx(0.04)
    assert value(metrics, "judging_step_seconds_bucket", step="xsd", le="0.0025") == 1


def test_a_value_at_a_bound_is_below_it_and_none_is_negative() -> None:
    """As Prometheus counts: `le`. A clock that was set back makes no sum smaller."""
    histogram = Histogram("h", "words", ("a",), (1.0, 2.0))
    for seconds in (1.0, 1.5, 3.0, -5.0):
        histogram.observe(("x",), seconds)
    samples = {
        sample.labels.get("le", sample.name): sample.value for sample in histogram.metric().samples
    }
    assert samples == {"1.0": 2, "2.0": 3, "+Inf": 4, "h_count": 4, "h_sum": 5.5}


def test_what_never_closes_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest first: memory stays bounded, and a late end only lacks its duration."""
    monkeypatch.setattr(line_metrics, "MOST_OPEN", 2)
    metrics = LineMetrics()
    for number in (1, 2, 3):
        judged(metrics, number, ACCEPTED, DocumentState.ACCEPTED)
    for number in (1, 2, 3):
        closed_at = later(number) + dt.timedelta(seconds=20)
        metrics.closed(an_interchange(number), "f", InterchangeState.SETTLED, closed_at)
    assert value(metrics, "interchanges_closed_total", flow="f", state="settled") == 3
    assert value(metrics, "stage_seconds_count", stage="settled", flow="f") == 2


def test_counting_costs_next_to_nothing() -> None:
    """A file takes less than 100 µs of processor to count, where judging it takes thousands."""
    metrics = LineMetrics()
    judgement = msgspec.structs.replace(
        a_judgement(1, verdict=ACCEPTED), timings_ms=dict.fromkeys(("parse", "xsd", "map"), 1.0)
    )
    interchanges = [an_interchange(number) for number in range(500)]
    best = 1.0
    for _ in range(5):
        started = time.process_time()
        for each in interchanges:
            metrics.received(each, new=True)
            metrics.judged(each, judgement, DocumentState.ACCEPTED, again=False, now=later(900))
            metrics.closed(each, "f", InterchangeState.SETTLED, later(901))
        best = min(best, (time.process_time() - started) / len(interchanges))
    assert best < 100e-6
