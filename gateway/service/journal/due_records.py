"""Which messages may be sent now: due, not held by an operator, and not before their turn.

An acknowledgement's turn comes once every result of its interchange is confirmed, but for flows
whose acknowledgements go as soon as the verdicts are committed. Nothing is written to make a
message wait: whatever holds it back is asked for each time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any, Final

import sqlalchemy as sa

from gateway.service.journal.rows import OutboxRow
from gateway.service.journal.tables import PENDING, holds, outbox

ACKNOWLEDGEMENTS = ("report", "cdar")
"""Kinds of messages that say how the documents of an interchange ended."""

LOOKED_THROUGH: Final = 2_000
"""Messages of a partner that one look goes through, for those that may be sent: however many are
held, or wait for their turn, a look takes a few milliseconds."""

COLUMNS = [outbox.c[name] for name in OutboxRow.__struct_fields__]

FLOW = outbox.c.headers["flow"].as_string()

HELD = (
    sa.exists()
    .where(
        holds.c.partner.in_(("", outbox.c.partner)),
        holds.c.destination.in_(("", outbox.c.destination)),
        holds.c.flow.in_(("", FLOW)),
    )
    .correlate(outbox)
)
"""Whether a hold is meant for a message."""

_results = outbox.alias("results")
# The condition of the partial index ix_outbox_unsettled, which is used when it stands here as is.
_UNSETTLED = (
    sa.exists()
    .where(
        _results.c.interchange_id == outbox.c.interchange_id,
        sa.text("results.kind = 'document' AND results.state <> 'delivered'"),
    )
    .correlate(outbox)
)
BEFORE_ITS_TURN = sa.and_(
    outbox.c.kind.in_(ACKNOWLEDGEMENTS),
    _UNSETTLED,
    FLOW.not_in(sa.bindparam("b_committed", expanding=True)),
)
"""Whether a message is an acknowledgement whose results are not all confirmed."""

# SQLite is told which index: by itself it may look through all that waits, oldest first.
_BY_PARTNER = "INDEXED BY ix_outbox_pending_partner"

_FIRST_PARTNER = (
    sa.select(outbox.c.partner)
    .with_hint(outbox, _BY_PARTNER, "sqlite")
    .where(PENDING, outbox.c.destination == sa.bindparam("b_destination"))
    .order_by(outbox.c.partner)
    .limit(1)
)
_NEXT_PARTNER = _FIRST_PARTNER.where(outbox.c.partner > sa.bindparam("b_partner"))
_ABOVE = (
    PENDING,
    outbox.c.destination == sa.bindparam("b_destination"),
    outbox.c.partner == sa.bindparam("b_partner"),
    outbox.c.id > sa.bindparam("b_after"),
)
_DUE = (
    sa.select(*COLUMNS)
    .with_hint(outbox, _BY_PARTNER, "sqlite")
    .where(
        *_ABOVE,
        outbox.c.next_attempt_at <= sa.bindparam("b_now"),
        sa.not_(HELD),
        sa.not_(BEFORE_ITS_TURN),
    )
    .order_by(outbox.c.id)
    .limit(sa.bindparam("b_limit"))
)
_FAR = (
    sa.select(outbox.c.id)
    .with_hint(outbox, _BY_PARTNER, "sqlite")
    .where(*_ABOVE)
    .order_by(outbox.c.id)
    .offset(LOOKED_THROUGH - 1)
    .limit(1)
)
_DUE_UP_TO = _DUE.where(outbox.c.id <= sa.bindparam("b_end"))


def partners_waiting(conn: sa.Connection, destination: str) -> list[str]:
    """Every partner with a message for this destination that is not sent, due or not, by name.

    One step into the index for each, over all its messages to the next one.
    """
    found: list[str] = []
    given = {"b_destination": destination}
    partner = conn.scalar(_FIRST_PARTNER, given)
    while partner is not None:
        found.append(partner)
        partner = conn.scalar(_NEXT_PARTNER, {**given, "b_partner": partner})
    return found


def end_of_look(
    conn: sa.Connection, *, destination: str, partner: str, after_id: int
) -> int | None:
    """The number of the last message that a look from above `after_id` goes through.

    None: it comes to the last one there is.
    """
    given = {"b_destination": destination, "b_partner": partner, "b_after": after_id}
    return conn.scalar(_FAR, given)


def due_outbox(
    conn: sa.Connection,
    now: dt.datetime,
    limit: int,
    *,
    destination: str,
    partner: str,
    after_id: int = 0,
    end_id: int | None = None,
    committed: Collection[str] = (),
) -> list[OutboxRow]:
    """Messages of a partner to send to a destination now, oldest first.

    Those numbered above `after_id`, up to `end_id`. `committed`: flows whose acknowledgements do
    not wait until their results are confirmed.
    """
    given: dict[str, Any] = {
        "b_destination": destination,
        "b_partner": partner,
        "b_after": after_id,
        "b_end": end_id,
        "b_now": now,
        "b_limit": limit,
        "b_committed": sorted(committed),
    }
    query = _DUE if end_id is None else _DUE_UP_TO
    return [OutboxRow(*row) for row in conn.execute(query, given)]
