"""How things stand, for metrics and alerts: what waits for a verdict, and what is overdue.

Asked now and then, not for every file. Each statement reads an index that holds only what waits,
never the millions that were answered.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec
import sqlalchemy as sa

from gateway.model.lifecycle import InterchangeState
from gateway.service.journal.queue_records import UNANSWERED
from gateway.service.journal.tables import (
    UNFINISHED,
    As2State,
    as2_messages,
    interchanges,
    outbox,
)

MOST_MDNS = 10_000
"""Messages that wait for their receipts, of which the oldest are looked at."""


class Overdue(msgspec.Struct, frozen=True):
    """So many of a partner's; `since`: the moment of the oldest of them."""

    number: int
    since: dt.datetime


# Ids sort by time, and the index of unfinished interchanges ends with them.
_UNFINISHED = (
    sa.select(
        interchanges.c.partner,
        sa.func.count().label("number"),
        sa.func.min(interchanges.c.id).label("first"),
    )
    .where(UNFINISHED)
    .group_by(interchanges.c.partner)
)
_RECEIVED = sa.select(interchanges.c.id, interchanges.c.received_at).where(
    interchanges.c.id.in_(sa.bindparam("b_ids", expanding=True))
)
_QUARANTINED = sa.select(sa.func.count(), sa.func.min(interchanges.c.updated_at)).where(
    interchanges.c.state == InterchangeState.QUARANTINED
)
_UNANSWERED = (
    sa.select(interchanges.c.partner, sa.func.count(), sa.func.min(interchanges.c.received_at))
    .where(
        interchanges.c.state.in_(sorted(UNANSWERED)),
        interchanges.c.received_at < sa.bindparam("b_before"),
        interchanges.c.partner.in_(sa.bindparam("b_partners", expanding=True)),
    )
    .group_by(interchanges.c.partner)
)
_AWAITED = (
    sa.select(outbox.c.partner, as2_messages.c.at)
    .join(as2_messages, as2_messages.c.outbox_message_id == outbox.c.message_id)
    .where(
        sa.text("outbox.state = 'pending'"),
        outbox.c.destination == "as2",
        as2_messages.c.state == As2State.SENT,
    )
    .order_by(outbox.c.id)
    .limit(MOST_MDNS)
)


def unfinished(conn: sa.Connection) -> dict[str, Overdue]:
    """By partner: interchanges without a verdict, and when the oldest was received."""
    rows = conn.execute(_UNFINISHED).all()
    received: dict[str, dt.datetime] = {}
    firsts = [row.first for row in rows]
    for start in range(0, len(firsts), 500):
        for id_, at in conn.execute(_RECEIVED, {"b_ids": firsts[start : start + 500]}):
            received[id_] = at
    return {row.partner: Overdue(row.number, received[row.first]) for row in rows}


def quarantined(conn: sa.Connection) -> Overdue | None:
    """Interchanges that wait for a human, and since when the first has."""
    number, since = conn.execute(_QUARANTINED).one()
    return Overdue(number, since) if number else None


def unanswered(
    conn: sa.Connection, minutes: Mapping[str, int], now: dt.datetime
) -> dict[str, Overdue]:
    """By partner: interchanges whose acknowledgement has not left within so many minutes.

    `minutes`: by partner. `since`: when the oldest of them was received.
    """
    found: dict[str, Overdue] = {}
    for agreed in sorted(set(minutes.values())):
        asked = {
            "b_before": now - dt.timedelta(minutes=agreed),
            "b_partners": sorted(name for name, each in minutes.items() if each == agreed),
        }
        for partner, number, since in conn.execute(_UNANSWERED, asked):
            found[partner] = Overdue(number, since)
    return found


def missing_mdns(
    conn: sa.Connection, seconds: Mapping[str, float], now: dt.datetime
) -> dict[str, Overdue]:
    """By partner: messages that it took and owes the receipt of for longer than was agreed.

    `seconds`: what was agreed, by partner. `since`: when the receipt of the oldest was due.
    """
    found: dict[str, Overdue] = {}
    for partner, at in conn.execute(_AWAITED):
        due = at + dt.timedelta(seconds=seconds.get(partner, 0.0))
        if partner in seconds and due < now:
            known = found.get(partner)
            since = due if known is None else min(known.since, due)
            found[partner] = Overdue(1 if known is None else known.number + 1, since)
    return found
