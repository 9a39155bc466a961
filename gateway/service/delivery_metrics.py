"""How deliveries stand, for Prometheus, as they stood at the last look."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from gateway.service.delivery_watch import Deliveries


def delivery_metrics(seen: Deliveries, now: dt.datetime) -> Iterator[Metric]:
    """One series per destination; those that do not answer by partner as well."""
    messages = GaugeMetricFamily(
        "edi_gateway_outbox_messages",
        "Messages that have not arrived: waiting (held ones too), held by an operator, dead"
        " (refused too often, not tried any more).",
        labels=["destination", "state"],
    )
    oldest = GaugeMetricFamily(
        "edi_gateway_outbox_oldest_seconds",
        "Age of the oldest message that has not arrived.",
        labels=["destination"],
    )
    oldest_due = GaugeMetricFamily(
        "edi_gateway_outbox_due_oldest_seconds",
        "Age of the oldest message to be sent: neither held nor dead, and its turn has come.",
        labels=["destination"],
    )
    numbers: dict[tuple[str, str], int] = defaultdict(int)
    since: dict[str, dt.datetime] = {}
    due: dict[str, dt.datetime] = {}
    for queue in seen.queues:
        for state in ("waiting", "held", "dead"):
            numbers[queue.destination, state] += getattr(queue, state)
        known = since.get(queue.destination, queue.oldest)
        since[queue.destination] = min(known, queue.oldest)
        if queue.oldest_due is not None:
            known = due.get(queue.destination, queue.oldest_due)
            due[queue.destination] = min(known, queue.oldest_due)
    for labels, number in sorted(numbers.items()):
        messages.add_metric(labels, number)
    for family, moments in ((oldest, since), (oldest_due, due)):
        for destination, then in sorted(moments.items()):
            family.add_metric([destination], max(0.0, (now - then).total_seconds()))
    away = GaugeMetricFamily(
        "edi_gateway_destination_away",
        "1 for each destination that does not answer; partner is empty for the broker.",
        labels=["destination", "partner"],
    )
    for circuit in seen.away:
        away.add_metric([circuit.destination, circuit.partner], 1)
    yield from (messages, oldest, oldest_due, away)
    yield GaugeMetricFamily(
        "edi_gateway_holds", "Holds that operators have placed.", value=len(seen.holds)
    )
    yield GaugeMetricFamily(
        "edi_gateway_acknowledgements_late",
        "Interchanges whose acknowledgement, or a status, has not left within outbox.late_hours.",
        value=len(seen.late),
    )
    owed = GaugeMetricFamily(
        "edi_gateway_statuses_owed",
        "Interchanges whose lifecycle messages (CDAR) are not all made: all of them, those that"
        " could not be sent, those that are owed for longer than outbox.late_hours.",
        labels=["state"],
    )
    for state in ("all", "failed", "late"):
        owed.add_metric([state], getattr(seen.owed, state))
    yield owed
