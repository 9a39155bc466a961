"""Which messages may be sent now: due, not held by an operator, and not before their turn.

An acknowledgement's turn comes once every result of its interchange is confirmed, but for flows
whose acknowledgements go as soon as the verdicts are committed. Nothing is written to make a
message wait: whatever holds it back is asked for each time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from gateway.service.journal.rows import OutboxRow
from gateway.service.journal.tables import PENDING, holds, outbox

ACKNOWLEDGEMENTS = ("report", "cdar")
"""Kinds of messages that say how the documents of an interchange ended."""

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

_DUE = (
    sa.select(*COLUMNS)
    .where(
        PENDING,
        outbox.c.id > sa.bindparam("b_after"),
        outbox.c.next_attempt_at <= sa.bindparam("b_now"),
        sa.not_(HELD),
        sa.not_(BEFORE_ITS_TURN),
    )
    .order_by(outbox.c.id)
    .limit(sa.bindparam("b_limit"))
)
_DUE_FOR = _DUE.where(outbox.c.destination == sa.bindparam("b_destination"))
_DUE_BUT_FOR = _DUE_FOR.where(outbox.c.partner.not_in(sa.bindparam("b_but", expanding=True)))
_DUE_FOR_PARTNER = _DUE_FOR.where(outbox.c.partner == sa.bindparam("b_partner"))


def due_outbox(
    conn: sa.Connection,
    now: dt.datetime,
    limit: int,
    *,
    after_id: int = 0,
    destination: str | None = None,
    partner: str | None = None,
    but: Collection[str] = (),
    committed: Collection[str] = (),
) -> list[OutboxRow]:
    """Messages to send now, oldest first, numbered above `after_id`; all destinations or one.

    Of a destination those of one `partner`, or of all `but` these. `committed`: flows whose
    acknowledgements do not wait until their results are confirmed.
    """
    parameters: dict[str, Any] = {
        "b_after": after_id,
        "b_now": now,
        "b_limit": limit,
        "b_committed": sorted(committed),
    }
    query = _DUE
    if destination is not None:
        query, parameters["b_destination"] = _DUE_FOR, destination
        if partner is not None:
            query, parameters["b_partner"] = _DUE_FOR_PARTNER, partner
        elif but:
            query, parameters["b_but"] = _DUE_BUT_FOR, sorted(but)
    return [OutboxRow(*row) for row in conn.execute(query, parameters)]
