"""Sending something again that was sent, waits or is dead: the same bytes, the same message id."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa

from gateway.service.journal.tables import (
    DEAD,
    As2State,
    OutboxState,
    as2_messages,
    outbox,
)

_IDS_AT_ONCE = 500

# Since when it waits is told of what waits; what it says does not hang on the time.
_ONCE_MORE = (
    sa.update(outbox)
    .where(outbox.c.id.in_(sa.bindparam("b_ids", expanding=True)))
    .values(
        state=OutboxState.PENDING,
        created_at=sa.case(
            (outbox.c.state == OutboxState.PENDING, outbox.c.created_at),
            else_=sa.bindparam("b_now", type_=outbox.c.created_at.type),
        ),
        next_attempt_at=sa.bindparam("b_now"),
        delivered_at=None,
        refusals=0,
        fetched_at=None,
        expired_at=None,
    )
)
_POST_ONCE_MORE = (
    sa.update(as2_messages)
    .where(
        as2_messages.c.state.in_((As2State.RECEIPTED, As2State.REFUSED)),
        as2_messages.c.outbox_message_id.in_(
            sa.select(outbox.c.message_id).where(
                outbox.c.id.in_(sa.bindparam("b_ids", expanding=True))
            )
        ),
    )
    .values(state=As2State.PACKED)
)
_CANDIDATES = (
    sa.select(
        outbox.c.id,
        outbox.c.kind,
        outbox.c.ordinal,
        outbox.c.destination,
        outbox.c.filename,
        outbox.c.type,
    )
    .where(
        outbox.c.interchange_id == sa.bindparam("b_id"),
        outbox.c.kind == sa.bindparam("b_kind"),
    )
    .order_by(outbox.c.id)
)


def once_more(conn: sa.Connection, ids: Sequence[int], now: dt.datetime) -> int:
    """Have these messages sent again, whatever became of them; how many these are.

    An AS2 message is posted again as it was packed, under its Message-ID; the receipt it has stays
    until there is a new one.
    """
    number = 0
    for start in range(0, len(ids), _IDS_AT_ONCE):
        batch = list(ids[start : start + _IDS_AT_ONCE])
        number += conn.execute(_ONCE_MORE, {"b_ids": batch, "b_now": now}).rowcount
        conn.execute(_POST_ONCE_MORE, {"b_ids": batch})
    return number


def newest_messages(
    conn: sa.Connection,
    interchange_id: str,
    kind: str,
    *,
    ordinal: int | None,
    destinations: str | None,
    broker: str,
) -> list[int]:
    """The messages of one kind that are in force: the last said of each thing to each destination.

    `ordinal`: only of this document. `destinations`: `broker`, `partner`; None: both.
    """
    newest: dict[tuple[int, str, str], tuple[str, list[int]]] = {}
    for row in conn.execute(_CANDIDATES, {"b_id": interchange_id, "b_kind": kind}):
        if ordinal is not None and row.ordinal != ordinal:
            continue
        if destinations is not None and (row.destination == broker) != (destinations == "broker"):
            continue
        name = (row.filename or "").rpartition(".")[0]
        # Of a document the portal is told beside the partner; a report has forms under one name.
        place = row.ordinal, row.destination, row.type if kind == "cdar" else ""
        before, ids = newest.get(place, ("", []))
        newest[place] = name, [*(ids if name and name == before else []), row.id]
    return sorted(id_ for _, ids in newest.values() for id_ in ids)


def dead_messages(
    conn: sa.Connection, *, partner: str, destination: str, limit: int
) -> list[tuple[int, str]]:
    """Messages that are dead, with their interchange, the oldest first. "" means any."""
    query = sa.select(outbox.c.id, outbox.c.interchange_id).where(DEAD)
    if partner:
        query = query.where(outbox.c.partner == partner)
    if destination:
        query = query.where(outbox.c.destination == destination)
    return [
        (row.id, row.interchange_id)
        for row in conn.execute(query.order_by(outbox.c.id).limit(limit))
    ]
