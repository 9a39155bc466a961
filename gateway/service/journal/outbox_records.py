"""The transactional outbox: messages are written with the step that causes them, sent later.

A message is `pending` until its destination confirmed it; a failed attempt leaves it pending,
due later. Nothing here sends.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model.publication import Publication
from gateway.service.journal.rows import OutboxRow
from gateway.service.journal.tables import PENDING, OutboxState, outbox

_COLUMNS = [outbox.c[name] for name in OutboxRow.__struct_fields__]
# A statement that answers "which are these?" stays well below SQLite's limit of variables.
_IDS_AT_ONCE = 500

# The partial indices are only used when the state stands in the statement, not in a parameter.
_PENDING = PENDING
_DUE = (
    sa.select(*_COLUMNS)
    .where(
        _PENDING,
        outbox.c.id > sa.bindparam("b_after"),
        outbox.c.next_attempt_at <= sa.bindparam("b_now"),
    )
    .order_by(outbox.c.id)
    .limit(sa.bindparam("b_limit"))
)
_DUE_FOR = _DUE.where(outbox.c.destination == sa.bindparam("b_destination"))
_OF = (
    sa.select(*_COLUMNS)
    .where(outbox.c.interchange_id == sa.bindparam("b_id"))
    .order_by(outbox.c.id)
)
_NAMED = sa.select(*_COLUMNS).where(outbox.c.message_id == sa.bindparam("b_id"))
_PENDING_OF = (
    sa.select(sa.func.count())
    .select_from(outbox)
    .where(
        outbox.c.interchange_id == sa.bindparam("b_id"),
        outbox.c.kind == sa.bindparam("b_kind"),
        _PENDING,
    )
)
_DELIVERED = (
    sa.update(outbox)
    .where(outbox.c.id.in_(sa.bindparam("b_ids", expanding=True)), _PENDING)
    .values(
        state=OutboxState.DELIVERED,
        delivered_at=sa.bindparam("b_now"),
        attempts=outbox.c.attempts + 1,
        last_error=None,
    )
)
_FAILED = (
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("b_id"), _PENDING)
    .values(
        attempts=outbox.c.attempts + 1,
        next_attempt_at=sa.bindparam("b_next_attempt_at"),
        last_error=sa.bindparam("b_error"),
    )
)
_RELEASE = (
    sa.update(outbox)
    .where(
        _PENDING,
        outbox.c.destination == sa.bindparam("b_destination"),
        outbox.c.next_attempt_at > sa.bindparam("b_now"),
    )
    .values(next_attempt_at=sa.bindparam("b_now"))
)
# Both databases know ON CONFLICT DO NOTHING; SQLAlchemy has a word for it in each dialect only.
_ADD = {
    "sqlite": sqlite.insert(outbox).inline().on_conflict_do_nothing(index_elements=["message_id"]),
    "postgresql": postgresql.insert(outbox)
    .inline()
    .on_conflict_do_nothing(index_elements=["message_id"]),
}


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A publication, what it is about and where it goes.

    `kind` is the word its message id was made with; `destination` is `broker` or the transport
    that takes a file back to the partner (`sftp`), under `filename`. `payload`: that file is in
    the spool under this sum, because it is too large for a row.
    """

    publication: Publication
    interchange_id: str
    ordinal: int
    kind: str
    destination: str
    partner: str
    filename: str | None = None
    payload: str | None = None


def add_outbox(
    conn: sa.Connection,
    publication: Publication,
    *,
    interchange_id: str,
    ordinal: int,
    kind: str,
    destination: str,
    partner: str,
    filename: str | None = None,
) -> bool:
    """Put one message in the outbox; False when one with its message id is there already."""
    outgoing = Outgoing(
        publication=publication,
        interchange_id=interchange_id,
        ordinal=ordinal,
        kind=kind,
        destination=destination,
        partner=partner,
        filename=filename,
    )
    return add_outbox_many(conn, (outgoing,)) == 1


def add_outbox_many(conn: sa.Connection, messages: Iterable[Outgoing]) -> int:
    """Put messages in the outbox with one statement; how many of them were not there yet."""
    rows = [_row(message) for message in messages]
    if not rows:
        return 0
    return conn.execute(_ADD[conn.dialect.name], rows).rowcount


def _row(outgoing: Outgoing) -> dict[str, Any]:
    publication = outgoing.publication
    return {
        "message_id": publication.message_id,
        "interchange_id": outgoing.interchange_id,
        "ordinal": outgoing.ordinal,
        "kind": outgoing.kind,
        "destination": outgoing.destination,
        "partner": outgoing.partner,
        "filename": outgoing.filename,
        "exchange": publication.exchange.value,
        "routing_key": publication.routing_key,
        "content_type": publication.content_type,
        "type": publication.type,
        "headers": publication.headers,
        "mandatory": publication.mandatory,
        "created_at": publication.timestamp,
        "state": OutboxState.PENDING,
        "next_attempt_at": publication.timestamp,
        "body": publication.body,
        "payload": outgoing.payload,
    }


def due_outbox(
    conn: sa.Connection,
    now: dt.datetime,
    limit: int,
    *,
    after_id: int = 0,
    destination: str | None = None,
) -> list[OutboxRow]:
    """Messages to send now, oldest first, numbered above `after_id`; all destinations or one."""
    parameters: dict[str, Any] = {"b_after": after_id, "b_now": now, "b_limit": limit}
    if destination is None:
        return [OutboxRow(*row) for row in conn.execute(_DUE, parameters)]
    parameters["b_destination"] = destination
    return [OutboxRow(*row) for row in conn.execute(_DUE_FOR, parameters)]


def outbox_of(
    conn: sa.Connection,
    id: str,  # noqa: A002 - the word every reader uses for it
    *,
    ordinals: Sequence[int] | None = None,
) -> list[OutboxRow]:
    """The messages an interchange caused, in the order they were written.

    `ordinals`: only those about these documents (0: the interchange itself).
    """
    query = _OF if ordinals is None else _OF.where(outbox.c.ordinal.in_(ordinals))
    return [OutboxRow(*row) for row in conn.execute(query, {"b_id": id})]


def outbox_named(conn: sa.Connection, message_id: str) -> OutboxRow | None:
    """The message with this id."""
    found = conn.execute(_NAMED, {"b_id": message_id}).first()
    return None if found is None else OutboxRow(*found)


def pending_of(conn: sa.Connection, id: str, kind: str) -> int:  # noqa: A002
    """How many messages of one kind still wait for an interchange."""
    return int(conn.execute(_PENDING_OF, {"b_id": id, "b_kind": kind}).scalar_one())


def mark_delivered(conn: sa.Connection, ids: Sequence[int], now: dt.datetime) -> None:
    """The destination confirmed these messages. Marking one twice changes nothing."""
    for start in range(0, len(ids), _IDS_AT_ONCE):
        batch = list(ids[start : start + _IDS_AT_ONCE])
        conn.execute(_DELIVERED, {"b_ids": batch, "b_now": now})


def mark_failed(
    conn: sa.Connection,
    id: int,  # noqa: A002 - the word every reader uses for it
    *,
    error: str,
    next_attempt_at: dt.datetime,
) -> None:
    """An attempt failed: keep the reason, try again at `next_attempt_at`."""
    conn.execute(_FAILED, {"b_id": id, "b_error": error, "b_next_attempt_at": next_attempt_at})


def release_backoff(conn: sa.Connection, destination: str, now: dt.datetime) -> int:
    """The destination came back: whatever waits for it is due now. How many were waiting."""
    return conn.execute(_RELEASE, {"b_destination": destination, "b_now": now}).rowcount
