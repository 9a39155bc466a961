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

from gateway.model.publication import Publication, message_id
from gateway.service.journal.as2_records import as2_message_for
from gateway.service.journal.due_records import COLUMNS
from gateway.service.journal.purge_records import purged_of
from gateway.service.journal.ready import Ready
from gateway.service.journal.resend_records import once_more
from gateway.service.journal.rows import OutboxRow
from gateway.service.journal.tables import PENDING, As2State, OutboxState, outbox

# A statement that answers "which are these?" stays well below SQLite's limit of variables.
_IDS_AT_ONCE = 500

BROKER = "broker"
"""Destination of everything that goes through RabbitMQ (or its embedded stand-in)."""

# The partial indices are only used when the state stands in the statement, not in a parameter.
_PENDING = PENDING
_OF = (
    sa.select(*COLUMNS).where(outbox.c.interchange_id == sa.bindparam("b_id")).order_by(outbox.c.id)
)
_NAMED = sa.select(*COLUMNS).where(outbox.c.message_id == sa.bindparam("b_id"))
_PENDING_OF = (
    sa.select(sa.func.count())
    .select_from(outbox)
    .where(
        outbox.c.interchange_id == sa.bindparam("b_id"),
        outbox.c.kind == sa.bindparam("b_kind"),
        outbox.c.state != OutboxState.DELIVERED,
    )
)
# Without a look at the state: a dead one may arrive after all, and the attempt that brought a
# message there is counted when the receipt was faster than its own outcome.
_DELIVERED = (
    sa.update(outbox)
    .where(outbox.c.id.in_(sa.bindparam("b_ids", expanding=True)))
    .values(
        state=OutboxState.DELIVERED,
        delivered_at=sa.func.coalesce(
            outbox.c.delivered_at, sa.bindparam("b_now", type_=outbox.c.delivered_at.type)
        ),
        attempts=outbox.c.attempts + sa.bindparam("b_attempted"),
        last_error=None,
    )
)
_FAILED = (
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("b_id"), _PENDING)
    .values(
        state=sa.bindparam("b_new_state", type_=outbox.c.state.type),
        attempts=outbox.c.attempts + sa.bindparam("b_attempted"),
        refusals=outbox.c.refusals + sa.bindparam("b_refused"),
        next_attempt_at=sa.bindparam("b_next_attempt_at"),
        last_error=sa.bindparam("b_error"),
    )
)
_COUNT_ATTEMPT = (
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("b_id"))
    .values(attempts=outbox.c.attempts + 1)
)
_REPORTS = (
    sa.select(
        outbox.c.id,
        outbox.c.message_id,
        outbox.c.destination,
        outbox.c.state,
        outbox.c.filename,
    )
    .where(
        outbox.c.interchange_id == sa.bindparam("b_id"),
        outbox.c.kind == "report",
        outbox.c.destination != BROKER,
    )
    .order_by(outbox.c.id)
)
_NAMED_SO = (
    sa.select(outbox.c.id)
    .where(
        outbox.c.interchange_id == sa.bindparam("b_id"),
        outbox.c.kind == "report",
        outbox.c.filename.endswith(sa.bindparam("b_ending"), autoescape=False),
    )
    .limit(1)
)
_THE_ROW = sa.select(*COLUMNS).where(outbox.c.id == sa.bindparam("b_id"))
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
_WRITTEN = [
    *("message_id", "interchange_id", "ordinal", "kind", "destination", "partner", "filename"),
    *("exchange", "routing_key", "content_type", "type", "headers", "mandatory", "created_at"),
    *("state", "next_attempt_at", "body", "payload"),
]
_ADD = {
    name: Ready(
        insert(outbox).inline().on_conflict_do_nothing(index_elements=["message_id"]), _WRITTEN
    )
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
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
    return _ADD[conn.dialect.name].run_each(conn, rows) if rows else 0


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
    """How many messages of one kind still wait for an interchange, the dead ones too."""
    return int(conn.execute(_PENDING_OF, {"b_id": id, "b_kind": kind}).scalar_one())


def mark_delivered(
    conn: sa.Connection, ids: Sequence[int], now: dt.datetime, *, attempted: bool = True
) -> None:
    """The destination confirmed these messages, each after one more attempt.

    `attempted` False: the attempt that did it was counted when it was made.
    """
    for start in range(0, len(ids), _IDS_AT_ONCE):
        batch = list(ids[start : start + _IDS_AT_ONCE])
        values = {"b_ids": batch, "b_now": now, "b_attempted": int(attempted)}
        conn.execute(_DELIVERED, values)


def mark_failed(
    conn: sa.Connection,
    id: int,  # noqa: A002 - the word every reader uses for it
    *,
    error: str,
    next_attempt_at: dt.datetime,
    attempted: bool = True,
    refused: bool = False,
    dead: bool = False,
) -> None:
    """It did not arrive: keep the reason, try again at `next_attempt_at`.

    `attempted` False: nothing was sent, it only waits. `refused`: the destination said no to this
    very message. `dead`: it is not tried again by itself.
    """
    values = {
        "b_id": id,
        "b_error": error,
        "b_next_attempt_at": next_attempt_at,
        "b_attempted": int(attempted),
        "b_refused": int(refused),
        "b_new_state": OutboxState.DEAD if dead else OutboxState.PENDING,
    }
    if not conn.execute(_FAILED, values).rowcount and attempted:
        conn.execute(_COUNT_ATTEMPT, {"b_id": id})  # a receipt was faster: it has arrived


def answer_again(
    conn: sa.Connection,
    interchange_id: str,
    channel: str,
    now: dt.datetime,
) -> bool:
    """Have the newest report go to the partner once more, by this channel, in all its forms.

    False when nothing is to be done: there is none yet, it is on its way, its receipt (MDN) says
    that the partner has it, or it was purged.
    """
    if purged_of(conn, interchange_id) is not None:
        return False
    reports = conn.execute(_REPORTS, {"b_id": interchange_id}).all()
    if not reports:
        return False
    newest = {row.filename: row for row in reports if of_one(row.filename, reports[-1].filename)}
    again = [_once_more_by(conn, reports, row, channel, now) for row in newest.values()]
    return any(again)


def of_one(name: str | None, other: str | None) -> bool:
    """Whether these are forms of one report: they have one name, but for the ending."""
    return (name or "").rpartition(".")[0] == (other or "").rpartition(".")[0]


def _once_more_by(
    conn: sa.Connection, reports: Sequence[Any], newest: Any, channel: str, now: dt.datetime
) -> bool:
    """One form of the newest report once more by this channel; False when it is on its way."""
    by_channel = [
        row for row in reports if (row.destination, row.filename) == (channel, newest.filename)
    ]
    if by_channel:
        message = as2_message_for(conn, by_channel[-1].message_id)
        receipted = message is not None and message.state is As2State.RECEIPTED
        if receipted or by_channel[-1].state is OutboxState.PENDING:
            return False
        return once_more(conn, [by_channel[-1].id], now) > 0
    row = OutboxRow(*conn.execute(_THE_ROW, {"b_id": newest.id}).one())
    publication = msgspec.structs.replace(
        row.publication(),
        message_id=message_id(row.message_id, 0, channel, 0),
        timestamp=now,
    )
    copy = Outgoing(
        publication=publication,
        interchange_id=row.interchange_id,
        ordinal=row.ordinal,
        kind=row.kind,
        destination=channel,
        partner=row.partner,
        filename=row.filename,
        payload=row.payload,
    )
    return add_outbox_many(conn, [copy]) > 0


def has_report_named(
    conn: sa.Connection,
    id: str,  # noqa: A002 - the word every reader uses for it
    ending: str,
) -> bool:
    """Whether a report about the interchange was written whose file name ends so."""
    return conn.execute(_NAMED_SO, {"b_id": id, "b_ending": ending}).first() is not None


def release_backoff(conn: sa.Connection, destination: str, now: dt.datetime) -> int:
    """The destination came back: whatever waits for it is due now. How many were waiting."""
    return conn.execute(_RELEASE, {"b_destination": destination, "b_now": now}).rowcount
