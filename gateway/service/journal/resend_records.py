"""Sending something again that was sent, waits or is dead: the same bytes, the same message id."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from gateway.model.publication import message_id
from gateway.model.standing import Direction
from gateway.service.journal.due_records import COLUMNS
from gateway.service.journal.rows import OutboxRow
from gateway.service.journal.tables import (
    DEAD,
    As2State,
    OutboxState,
    as2_messages,
    invoice_statuses,
    outbox,
)

TO_PORTAL = "edi.acknowledgement.cdar.portal"
"""The type of a lifecycle message for the public portal."""

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
        outbox.c.message_id,
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
_PUBLISHED = sa.select(*COLUMNS).where(
    outbox.c.id.in_(sa.bindparam("b_ids", expanding=True)), outbox.c.type == TO_PORTAL
)
_TOLD = sa.select(invoice_statuses.c.message_id, invoice_statuses.c.invoice_ordinal).where(
    invoice_statuses.c.invoice_interchange_id == sa.bindparam("b_id"),
    invoice_statuses.c.direction == Direction.SENT.value,
)
_TOLD_OF_DOCUMENT = _TOLD.where(invoice_statuses.c.invoice_ordinal == sa.bindparam("b_ordinal"))
_OF_DOCUMENT = _CANDIDATES.where(
    sa.or_(
        outbox.c.ordinal == sa.bindparam("b_ordinal"),
        outbox.c.message_id.in_(sa.bindparam("b_messages", expanding=True)),
    )
)
_DESTINATIONS = (
    sa.select(outbox.c.destination)
    .where(outbox.c.interchange_id == sa.bindparam("b_id"), outbox.c.kind == "cdar")
    .distinct()
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


def messages_said(
    conn: sa.Connection,
    interchange_id: str,
    kind: str,
    *,
    ordinal: int | None,
    audience: str | None,
    every: bool = False,
    broker: str,
) -> list[int]:
    """The messages of one kind that are in force: the last said of each thing to each destination.

    `every`: those said before them as well. `ordinal`: only what is about this document.
    `audience`: `broker`, `partner`, `portal`; None: all of them.
    """
    about = _told(conn, interchange_id, ordinal) if kind == "cdar" else {}
    query = _CANDIDATES
    wanted: dict[str, Any] = {"b_id": interchange_id, "b_kind": kind}
    if ordinal is not None:
        query, wanted = _OF_DOCUMENT, {**wanted, "b_ordinal": ordinal, "b_messages": list(about)}
    newest: dict[tuple[int, str, str], tuple[str, list[int]]] = {}
    for row in conn.execute(query, wanted):
        ordinals = about.get(row.message_id, {row.ordinal})
        if audience is not None and _audience(row, broker) != audience:
            continue
        name = (row.filename or "").rpartition(".")[0]
        for each in ordinals if ordinal is None else ordinals & {ordinal}:
            # Of a document the portal is told beside the partner; a report has forms of one name.
            place = each, row.destination, row.type if kind == "cdar" else ""
            before, ids = newest.get(place, ("", []))
            kept = ids if every or (name and name == before) else []
            newest[place] = name, [*kept, row.id]
    return sorted({id_ for _, ids in newest.values() for id_ in ids})


def for_the_portal(conn: sa.Connection, ids: Sequence[int]) -> Iterator[OutboxRow]:
    """Those of these messages that are for the public portal."""
    for start in range(0, len(ids), _IDS_AT_ONCE):
        batch = list(ids[start : start + _IDS_AT_ONCE])
        yield from [OutboxRow(*row) for row in conn.execute(_PUBLISHED, {"b_ids": batch})]


def _told(conn: sa.Connection, interchange_id: str, ordinal: int | None) -> dict[str, set[int]]:
    """The documents that each lifecycle message is about, by its id at every destination.

    `ordinal`: only this document, and messages about it.
    """
    wanted: dict[str, Any] = {"b_id": interchange_id}
    destinations = conn.execute(_DESTINATIONS, wanted).scalars().all()
    query = _TOLD
    if ordinal is not None:
        query, wanted["b_ordinal"] = _TOLD_OF_DOCUMENT, ordinal
    about: dict[str, set[int]] = {}
    for told, document in conn.execute(query, wanted):
        for id_ in (told, *(message_id(told, 0, each, 0) for each in destinations)):
            about.setdefault(id_, set()).add(document)
    return about


def _audience(row: Any, broker: str) -> str:
    """For whom a message is."""
    if row.destination == broker:
        return "broker"
    return "portal" if row.type == TO_PORTAL else "partner"


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
