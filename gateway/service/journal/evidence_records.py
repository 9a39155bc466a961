"""What an export reads of one interchange, page by page, each body by itself. Reads only."""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec
import sqlalchemy as sa

from gateway.service.journal.rows import DocumentRow
from gateway.service.journal.tables import (
    OutboxState,
    documents,
    files,
    outbox,
    transitions,
)

PAGE: Final = 100
"""Rows at a time. A document with a thousand findings weighs a megabyte."""
_FEWER: Final = 10

_ID: sa.BindParameter[str] = sa.bindparam("b_id")
_AFTER: sa.BindParameter[int] = sa.bindparam("b_after")


class MessageHead(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the outbox, but for its body."""

    id: int
    message_id: str
    ordinal: int
    kind: str
    type: str
    destination: str
    partner: str
    filename: str | None
    exchange: str
    routing_key: str
    content_type: str
    headers: dict[str, str | int]
    created_at: dt.datetime
    state: OutboxState
    attempts: int
    delivered_at: dt.datetime | None
    last_error: str | None
    payload: str | None
    fetched_at: dt.datetime | None
    expired_at: dt.datetime | None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the audit trail; `ordinal` 0 is the interchange."""

    id: int
    ordinal: int
    old_state: str | None
    new_state: str
    at: dt.datetime
    cause: str | None


class FileRow(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was attached inside a document."""

    ordinal: int
    sha256: str
    size: int


_MESSAGES = (
    sa.select(*(outbox.c[name] for name in MessageHead.__struct_fields__))
    .where(outbox.c.interchange_id == _ID, outbox.c.id > _AFTER)
    .order_by(outbox.c.id)
    .limit(PAGE)
)
_BODY = sa.select(outbox.c.body).where(outbox.c.id == _ID)
_STEPS = (
    sa.select(*(transitions.c[name] for name in Step.__struct_fields__))
    .where(transitions.c.interchange_id == _ID, transitions.c.id > _AFTER)
    .order_by(transitions.c.id)
    .limit(PAGE)
)
_DOCUMENTS = (
    sa.select(*(documents.c[name] for name in DocumentRow.__struct_fields__))
    .where(documents.c.interchange_id == _ID, documents.c.ordinal > _AFTER)
    .order_by(documents.c.ordinal)
    .limit(_FEWER)
)
_NEXT_WITH_FILES = sa.select(sa.func.min(files.c.ordinal)).where(
    files.c.interchange_id == _ID, files.c.ordinal > _AFTER
)
_FILES = (
    sa.select(*(files.c[name] for name in FileRow.__struct_fields__))
    .where(files.c.interchange_id == _ID, files.c.ordinal == sa.bindparam("b_ordinal"))
    .order_by(files.c.sha256)
)


def messages_after(conn: sa.Connection, interchange_id: str, *, after: int) -> list[MessageHead]:
    """The next messages it caused, but for what they say."""
    rows = conn.execute(_MESSAGES, {"b_id": interchange_id, "b_after": after})
    return [MessageHead(**row._mapping) for row in rows]


def body_of(conn: sa.Connection, id_: int) -> bytes:
    """What a message says, where that is in the journal."""
    body: bytes = conn.execute(_BODY, {"b_id": id_}).scalar_one()
    return body


def steps_after(conn: sa.Connection, interchange_id: str, *, after: int) -> list[Step]:
    """The next steps it took, or its documents."""
    rows = conn.execute(_STEPS, {"b_id": interchange_id, "b_after": after})
    return [Step(**row._mapping) for row in rows]


def documents_after(conn: sa.Connection, interchange_id: str, *, after: int) -> list[DocumentRow]:
    """Its next documents, with what was said of them."""
    rows = conn.execute(_DOCUMENTS, {"b_id": interchange_id, "b_after": after})
    return [DocumentRow(*row) for row in rows]


def files_after(conn: sa.Connection, interchange_id: str, *, after: int) -> list[FileRow]:
    """What was attached inside the next document that has anything attached."""
    key = {"b_id": interchange_id, "b_after": after}
    ordinal = conn.execute(_NEXT_WITH_FILES, key).scalar()
    if ordinal is None:
        return []
    rows = conn.execute(_FILES, {"b_id": interchange_id, "b_ordinal": ordinal})
    return [FileRow(**row._mapping) for row in rows]
