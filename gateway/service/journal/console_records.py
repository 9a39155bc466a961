"""What pages of the console ask the journal. Each query is bounded, whatever the journal holds."""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec
import sqlalchemy as sa

from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.service.journal.due_records import HELD
from gateway.service.journal.evidence_records import MessageHead
from gateway.service.journal.rows import DocumentRow, InterchangeRow
from gateway.service.journal.tables import (
    DEAD,
    PENDING,
    OutboxState,
    documents,
    interchanges,
    outbox,
)
from gateway.service.journal.waiting import partners_with_work, unfinished_of

_LOOKED_AT: Final = 5_000
"""Messages that wait, of which those that failed are looked for."""
_OF_ONE: Final = 20

_INTERCHANGE = sa.select(*(interchanges.c[name] for name in InterchangeRow.__struct_fields__))
_DOCUMENT = sa.select(*(documents.c[name] for name in DocumentRow.__struct_fields__))
_HEAD = sa.select(*(outbox.c[name] for name in MessageHead.__struct_fields__))


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """A message that does not arrive. `held`: an operator holds it."""

    interchange_id: str
    ordinal: int
    kind: str
    destination: str
    partner: str
    state: OutboxState
    created_at: dt.datetime
    attempts: int
    next_attempt_at: dt.datetime
    last_error: str | None
    held: bool


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """A document that could not be judged yet, and is tried again."""

    interchange_id: str
    ordinal: int
    name: str
    partner: str
    flow: str | None
    received_at: dt.datetime
    attempts: int
    next_attempt_at: dt.datetime | None
    cause: str | None


_STUCK_COLUMNS = (
    *(outbox.c[name] for name in Stuck.__struct_fields__ if name != "held"),
    HELD.label("held"),
)
_WAITING = (
    sa.select(outbox.c.id).where(PENDING).order_by(outbox.c.id).limit(_LOOKED_AT).scalar_subquery()
)
_RETRIED = (
    sa.select(
        documents.c.interchange_id,
        documents.c.ordinal,
        documents.c.name,
        interchanges.c.partner,
        sa.func.coalesce(documents.c.flow, interchanges.c.flow).label("flow"),
        interchanges.c.received_at,
        documents.c.attempts,
        documents.c.next_attempt_at,
        documents.c.cause,
    )
    .join(interchanges, interchanges.c.id == documents.c.interchange_id)
    .where(documents.c.state == DocumentState.UNDETERMINED)
)


def interchanges_page(
    conn: sa.Connection,
    *,
    partner: str = "",
    state: InterchangeState | None = None,
    before: str = "",
    limit: int,
) -> list[InterchangeRow]:
    """The newest, older than the one with the id `before`."""
    query = _INTERCHANGE.order_by(interchanges.c.id.desc()).limit(limit)
    if partner:
        query = query.where(interchanges.c.partner == partner)
    if state is not None:
        query = query.where(interchanges.c.state == state)
    if before:
        query = query.where(interchanges.c.id < before)
    return [InterchangeRow(*row) for row in conn.execute(query)]


def stuck(conn: sa.Connection, *, limit: int) -> list[Stuck]:
    """Messages that are given up, then those that failed and are tried again; the oldest first."""
    dead = sa.select(*_STUCK_COLUMNS).where(DEAD).order_by(outbox.c.id).limit(limit)
    failed = (
        sa.select(*_STUCK_COLUMNS)
        .where(outbox.c.id.in_(_WAITING), outbox.c.last_error.is_not(None))
        .order_by(outbox.c.id)
        .limit(limit)
    )
    rows = [*conn.execute(dead), *conn.execute(failed)][:limit]
    return [Stuck(**{**row._mapping, "held": bool(row.held)}) for row in rows]


def retried(conn: sa.Connection, *, limit: int) -> list[Retried]:
    """Documents that are tried again."""
    return [Retried(**row._mapping) for row in conn.execute(_RETRIED.limit(limit))]


def working(conn: sa.Connection, *, limit: int) -> list[InterchangeRow]:
    """Interchanges without a verdict, the oldest first: the first of each partner."""
    ids: list[str] = []
    for partner in partners_with_work(conn)[:200]:
        ids += unfinished_of(conn, partner, limit=_OF_ONE)
    query = _INTERCHANGE.where(interchanges.c.id.in_(sorted(ids)[:limit])).order_by(
        interchanges.c.id
    )
    return [InterchangeRow(*row) for row in conn.execute(query)]


def documents_to_mend(
    conn: sa.Connection, interchange_id: str, *, after: int, limit: int
) -> list[DocumentRow]:
    """Documents of an interchange that were not accepted, above `after`."""
    query = (
        _DOCUMENT.where(
            documents.c.interchange_id == interchange_id,
            documents.c.ordinal > after,
            sa.or_(documents.c.verdict.is_(None), documents.c.verdict != "accepted"),
        )
        .order_by(documents.c.ordinal)
        .limit(limit)
    )
    return [DocumentRow(*row) for row in conn.execute(query)]


def message_head(conn: sa.Connection, interchange_id: str, id_: int) -> MessageHead | None:
    """A message by its number, if this interchange caused it; but for its body."""
    row = conn.execute(
        _HEAD.where(outbox.c.id == id_, outbox.c.interchange_id == interchange_id)
    ).first()
    return None if row is None else MessageHead(**row._mapping)


def result_head(conn: sa.Connection, interchange_id: str, ordinal: int) -> MessageHead | None:
    """The newest result of a document; but for its body."""
    row = conn.execute(
        _HEAD.where(
            outbox.c.interchange_id == interchange_id,
            outbox.c.ordinal == ordinal,
            outbox.c.kind == "document",
        )
        .order_by(outbox.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else MessageHead(**row._mapping)


def messages_said(
    conn: sa.Connection, interchange_id: str, *, partner: str = "", limit: int
) -> list[MessageHead]:
    """What was said of an interchange, without events; `partner`: to this one alone."""
    query = (
        _HEAD.where(outbox.c.interchange_id == interchange_id, outbox.c.kind != "event")
        .order_by(outbox.c.id)
        .limit(limit)
    )
    if partner:
        query = query.where(outbox.c.partner == partner, outbox.c.destination != "broker")
    return [MessageHead(**row._mapping) for row in conn.execute(query)]
