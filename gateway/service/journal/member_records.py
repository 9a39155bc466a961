"""The documents of an archive, and what lay beside them: in pages, for there may be thousands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model.container import Member
from gateway.model.lifecycle import DocumentState
from gateway.service.journal.rows import AttachmentRow, DocumentRow
from gateway.service.journal.tables import attachments, documents

OPEN_DOCUMENT = (DocumentState.EXTRACTED, DocumentState.UNDETERMINED)
"""States in which a document still waits for its verdict."""

_DOCUMENT = sa.select(*(documents.c[name] for name in DocumentRow.__struct_fields__))
_THESE = sa.and_(
    documents.c.interchange_id == sa.bindparam("b_id"),
    documents.c.ordinal > sa.bindparam("b_after"),
)
_PAGE = _DOCUMENT.where(_THESE).order_by(documents.c.ordinal).limit(sa.bindparam("b_limit"))
_DUE = (
    _DOCUMENT.where(
        _THESE,
        documents.c.state.in_(OPEN_DOCUMENT),
        sa.or_(
            documents.c.next_attempt_at.is_(None),
            documents.c.next_attempt_at <= sa.bindparam("b_now"),
        ),
    )
    .order_by(documents.c.ordinal)
    .limit(sa.bindparam("b_limit"))
)
_STATES = (
    sa.select(documents.c.state, sa.func.count())
    .where(documents.c.interchange_id == sa.bindparam("b_id"))
    .group_by(documents.c.state)
)
_NEXT_ATTEMPT = sa.select(sa.func.min(documents.c.next_attempt_at)).where(
    documents.c.interchange_id == sa.bindparam("b_id"),
    documents.c.state.in_(OPEN_DOCUMENT),
)
_ATTACHMENTS = (
    sa.select(*(attachments.c[name] for name in AttachmentRow.__struct_fields__))
    .where(
        attachments.c.interchange_id == sa.bindparam("b_id"),
        attachments.c.position > sa.bindparam("b_after"),
    )
    .order_by(attachments.c.position)
    .limit(sa.bindparam("b_limit"))
)
_KEY = ["interchange_id", "position"]
_ADD_ATTACHMENT = {
    "sqlite": sqlite.insert(attachments).inline().on_conflict_do_nothing(index_elements=_KEY),
    "postgresql": postgresql.insert(attachments)
    .inline()
    .on_conflict_do_nothing(index_elements=_KEY),
}


def documents_page(
    conn: sa.Connection, interchange_id: str, *, after: int, limit: int
) -> list[DocumentRow]:
    """Documents with ordinals above `after`, by ordinal."""
    parameters = {"b_id": interchange_id, "b_after": after, "b_limit": limit}
    return [DocumentRow(*row) for row in conn.execute(_PAGE, parameters)]


def due_documents(
    conn: sa.Connection, interchange_id: str, now: dt.datetime, *, after: int, limit: int
) -> list[DocumentRow]:
    """Documents above `after` that wait for a verdict and may be judged now, by ordinal."""
    parameters = {"b_id": interchange_id, "b_now": now, "b_after": after, "b_limit": limit}
    return [DocumentRow(*row) for row in conn.execute(_DUE, parameters)]


def document_states(conn: sa.Connection, interchange_id: str) -> dict[DocumentState, int]:
    """How many documents of the interchange stand where; states of none are absent."""
    return {row[0]: row[1] for row in conn.execute(_STATES, {"b_id": interchange_id})}


def next_attempt_of(conn: sa.Connection, interchange_id: str) -> dt.datetime | None:
    """When the first of its waiting documents is due; None when none waits for a time."""
    found: dt.datetime | None = conn.execute(_NEXT_ATTEMPT, {"b_id": interchange_id}).scalar()
    return found


def add_attachments(conn: sa.Connection, interchange_id: str, members: Iterable[Member]) -> None:
    """Note what lay beside the documents; what is noted already stays."""
    rows = [
        {
            "interchange_id": interchange_id,
            "position": member.position,
            "name": member.name,
            "role": member.role,
            "size": member.size,
            "sha256": member.sha256,
            "beside": member.beside,
        }
        for member in members
    ]
    if rows:
        conn.execute(_ADD_ATTACHMENT[conn.dialect.name], rows)


def attachments_page(
    conn: sa.Connection, interchange_id: str, *, after: int = 0, limit: int = 100
) -> list[AttachmentRow]:
    """What lay beside the documents, in the archive's order."""
    parameters = {"b_id": interchange_id, "b_after": after, "b_limit": limit}
    return [AttachmentRow(*row) for row in conn.execute(_ATTACHMENTS, parameters)]
