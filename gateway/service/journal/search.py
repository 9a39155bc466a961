"""What people and the start-up ask the journal. Reads only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.service.journal.rows import (
    Counts,
    DocumentRow,
    InterchangeRow,
    Transition,
    Waiting,
)
from gateway.service.journal.tables import PENDING, documents, interchanges, outbox, transitions

_INTERCHANGE = sa.select(*(interchanges.c[name] for name in InterchangeRow.__struct_fields__))
_DOCUMENT = sa.select(*(documents.c[name] for name in DocumentRow.__struct_fields__))
_THE_INTERCHANGE = _INTERCHANGE.where(interchanges.c.id == sa.bindparam("b_id"))
_DOCUMENTS_OF = _DOCUMENT.where(documents.c.interchange_id == sa.bindparam("b_id")).order_by(
    documents.c.ordinal
)
_THE_DOCUMENT = _DOCUMENT.where(
    documents.c.interchange_id == sa.bindparam("b_id"),
    documents.c.ordinal == sa.bindparam("b_ordinal"),
)
_TRANSITIONS_OF = (
    sa.select(transitions)
    .where(transitions.c.interchange_id == sa.bindparam("b_id"))
    .order_by(transitions.c.id)
)
_INTERCHANGES_BY_STATE = sa.select(interchanges.c.state, sa.func.count()).group_by(
    interchanges.c.state
)
_DOCUMENTS_BY_STATE = sa.select(documents.c.state, sa.func.count()).group_by(documents.c.state)
_WAITING = (
    sa.select(
        outbox.c.destination,
        sa.func.count().label("pending"),
        sa.func.min(outbox.c.id).label("oldest"),
    )
    .where(PENDING)
    .group_by(outbox.c.destination)
    .subquery()
)
_OUTBOX_BY_DESTINATION = sa.select(
    _WAITING.c.destination, _WAITING.c.pending, outbox.c.created_at
).join(outbox, outbox.c.id == _WAITING.c.oldest)


def interchange(conn: sa.Connection, id: str) -> InterchangeRow | None:  # noqa: A002
    """The interchange, or None when there is none with this id."""
    row = conn.execute(_THE_INTERCHANGE, {"b_id": id}).first()
    return None if row is None else InterchangeRow(*row)


def document(conn: sa.Connection, id: str, ordinal: int) -> DocumentRow | None:  # noqa: A002
    """One document of an interchange, or None."""
    row = conn.execute(_THE_DOCUMENT, {"b_id": id, "b_ordinal": ordinal}).first()
    return None if row is None else DocumentRow(*row)


def documents_of(conn: sa.Connection, id: str) -> list[DocumentRow]:  # noqa: A002
    """The documents of an interchange, by ordinal."""
    return [DocumentRow(*row) for row in conn.execute(_DOCUMENTS_OF, {"b_id": id})]


def transitions_of(
    conn: sa.Connection,
    id: str,  # noqa: A002 - the word every reader uses for it
    *,
    ordinals: Sequence[int] | None = None,
) -> list[Transition]:
    """Every step of an interchange and of its documents, in the order they were taken."""
    return [
        Transition(
            row.interchange_id,
            row.ordinal,
            _state(row.ordinal, row.old_state),
            _state(row.ordinal, row.new_state),
            row.at,
            row.cause,
            row.id,
        )
        for row in conn.execute(
            _TRANSITIONS_OF
            if ordinals is None
            else _TRANSITIONS_OF.where(transitions.c.ordinal.in_(ordinals)),
            {"b_id": id},
        )
    ]


def _state(ordinal: int, word: str | None) -> Any:
    if word is None:
        return None
    return DocumentState(word) if ordinal else InterchangeState(word)


def list_interchanges(
    conn: sa.Connection,
    *,
    partner: str | None = None,
    state: InterchangeState | str | None = None,
    since: dt.datetime | None = None,
    search: str | None = None,
    limit: int = 50,
) -> list[InterchangeRow]:
    """The newest interchanges that meet every condition given.

    `search` finds a whole invoice number, seller or buyer id, or the beginning of a file name
    or id, by index. Only when that finds nothing is every name looked through for `search`
    anywhere in it, in either case.
    """
    query = _INTERCHANGE.order_by(interchanges.c.id.desc()).limit(limit)
    if partner is not None:
        query = query.where(interchanges.c.partner == partner)
    if state is not None:
        query = query.where(interchanges.c.state == InterchangeState(state))
    if since is not None:
        query = query.where(interchanges.c.received_at >= since)
    if search is None or not search.strip():
        return [InterchangeRow(*row) for row in conn.execute(query)]
    text = search.strip()
    for found in (_by_index(text), _anywhere(text)):
        rows = conn.execute(query.where(interchanges.c.id.in_(found))).all()
        if rows:
            return [InterchangeRow(*row) for row in rows]
    return []


def verdicts_of(conn: sa.Connection, ids: Iterable[str]) -> dict[str, dict[str, int]]:
    """How many documents of each of these interchanges got which verdict.

    `{"<id>": {"accepted": 2, "rejected": 1}}`; an interchange nothing was judged of is absent.
    """
    query = (
        sa.select(documents.c.interchange_id, documents.c.verdict, sa.func.count())
        .where(documents.c.interchange_id.in_(list(ids)), documents.c.verdict.is_not(None))
        .group_by(documents.c.interchange_id, documents.c.verdict)
        .order_by(documents.c.verdict)
    )
    found: dict[str, dict[str, int]] = {}
    for id_, verdict, number in conn.execute(query):
        found.setdefault(id_, {})[verdict] = number
    return found


def _by_index(text: str) -> sa.CompoundSelect[Any]:
    def begins(column: sa.Column[Any], beginning: str) -> sa.ColumnElement[bool]:
        # A range, because LIKE does not use an index everywhere.
        return sa.and_(column >= beginning, column < beginning + "\U0010ffff")

    ids = documents.c.interchange_id
    return sa.union(
        sa.select(ids).where(documents.c.invoice_number == text),
        sa.select(ids).where(documents.c.seller_id == text),
        sa.select(ids).where(documents.c.buyer_id == text),
        sa.select(interchanges.c.id).where(begins(interchanges.c.name, text)),
        sa.select(interchanges.c.id).where(begins(interchanges.c.id, text.lower())),
    )


def _anywhere(text: str) -> sa.CompoundSelect[Any]:
    ids = documents.c.interchange_id
    return sa.union(
        sa.select(interchanges.c.id).where(interchanges.c.name.icontains(text, autoescape=True)),
        sa.select(ids).where(documents.c.name.icontains(text, autoescape=True)),
        sa.select(ids).where(documents.c.invoice_number.icontains(text, autoescape=True)),
    )


def counts(conn: sa.Connection) -> Counts:
    """How much stands where."""
    return Counts(
        interchanges={row[0]: row[1] for row in conn.execute(_INTERCHANGES_BY_STATE)},
        documents={row[0]: row[1] for row in conn.execute(_DOCUMENTS_BY_STATE)},
        outbox={row[0]: Waiting(row[1], row[2]) for row in conn.execute(_OUTBOX_BY_DESTINATION)},
    )
