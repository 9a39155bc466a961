"""Purging in the journal: what may go, what was begun, and freeing it page by page.

A purge writes first that an interchange is purged; from then on nobody reads its payloads, judges
it again or sends anything of it again. Then it frees them in small transactions, each of which
notes how far it came, so that every reference is given back exactly once, whoever dies when.
Rows stay, but for events; what goes is bytes: bodies of messages, receipts, what the spool holds.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec
import sqlalchemy as sa

from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.service.journal.payload_records import release_payload
from gateway.service.journal.rows import InterchangeRow
from gateway.service.journal.search import interchange
from gateway.service.journal.tables import (
    UNFREED,
    As2State,
    OutboxState,
    as2_messages,
    documents,
    files,
    interchanges,
    outbox,
    purged,
    statuses_owed,
    transitions,
)

AT_ONCE: Final = 200
"""Rows in one transaction: the journal has other work that must not wait long."""
CLAIM_CHECK: Final = "claim-check"
"""The header with the sum of a body that is in the spool."""

_MESSAGES, _FILES, _AS2, _ORIGINAL = "messages", "files", "as2", "original"

_ID: sa.BindParameter[str] = sa.bindparam("b_id")
_AFTER: sa.BindParameter[int] = sa.bindparam("b_after")
_LIMIT: sa.BindParameter[int] = sa.bindparam("b_limit")
_OPEN_DOCUMENTS = (
    sa.select(sa.func.count())
    .select_from(documents)
    .where(
        documents.c.interchange_id == _ID,
        documents.c.state.not_in([DocumentState.PUBLISHED, DocumentState.DISCARDED]),
    )
)
_UNDELIVERED = (
    sa.select(sa.func.count())
    .select_from(outbox)
    .where(outbox.c.interchange_id == _ID, outbox.c.state != OutboxState.DELIVERED)
)
_OWED = sa.select(sa.func.count()).where(statuses_owed.c.interchange_id == _ID)
_NO_RECEIPT = (
    sa.select(sa.func.count())
    .select_from(as2_messages)
    .where(
        as2_messages.c.interchange_id == _ID,
        as2_messages.c.state.in_([As2State.PACKED, As2State.SENT]),
    )
)
_LAST = [
    sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0)).where(table.c.interchange_id == _ID)
    for table in (transitions, outbox, as2_messages)
]
_NEXT_MESSAGES = (
    sa.select(
        outbox.c.id,
        outbox.c.kind,
        outbox.c.headers,
        sa.func.length(outbox.c.body).label("size"),
    )
    .where(outbox.c.interchange_id == _ID, outbox.c.id > _AFTER)
    .order_by(outbox.c.id)
    .limit(_LIMIT)
)
_EMPTY = (
    sa.update(outbox).where(outbox.c.id.in_(sa.bindparam("b_ids", expanding=True))).values(body=b"")
)
# What an event tells is in the audit trail; its row would only keep a page from being given back.
_DROP = sa.delete(outbox).where(outbox.c.id.in_(sa.bindparam("b_ids", expanding=True)))
_NEXT_FILES = (
    sa.select(files.c.ordinal, files.c.sha256)
    .where(files.c.interchange_id == _ID, files.c.ordinal > _AFTER)
    .order_by(files.c.ordinal, files.c.sha256)
)
_NEXT_AS2 = (
    sa.select(
        as2_messages.c.id,
        as2_messages.c.raw_sha256,
        sa.func.coalesce(sa.func.length(as2_messages.c.mdn_body), 0).label("size"),
    )
    .where(as2_messages.c.interchange_id == _ID, as2_messages.c.id > _AFTER)
    .order_by(as2_messages.c.id)
    .limit(_LIMIT)
)
_FORGET_RECEIPTS = (
    sa.update(as2_messages)
    .where(as2_messages.c.id.in_(sa.bindparam("b_ids", expanding=True)))
    .values(mdn_headers=sa.null(), mdn_body=None, certificate=None)
)
_THE_PURGE = purged.c.interchange_id == _ID
_UNFREED = sa.select(purged.c.interchange_id).where(UNFREED).order_by(purged.c.interchange_id)


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """That the payloads of an interchange are gone. `archive` None: on purpose, without one.

    `stage` and `position`: how far freeing came; `freed_at` None: it goes on with the next purge.
    `size`: bytes freed in the journal.
    """

    interchange_id: str
    purged_at: dt.datetime
    purged_by: str
    archive: str | None
    stage: str
    position: int
    size: int
    freed_at: dt.datetime | None

    @property
    def words(self) -> str:
        """For people: when, by whom, and where it is now."""
        where = f"archived in {self.archive}" if self.archive else "without an archive"
        return f"purged {self.purged_at:%Y-%m-%d %H:%M} UTC by {self.purged_by}, {where}"


_PURGED = sa.select(*(purged.c[name] for name in Purged.__struct_fields__))
_PURGED_OF = _PURGED.where(_THE_PURGE)


class Freed(msgspec.Struct, frozen=True):
    """What one page gave: payloads that nobody needs any more; `done` when it was the last."""

    sums: tuple[str, ...]
    done: bool


def purged_of(conn: sa.Connection, interchange_id: str) -> Purged | None:
    """When it was purged, by whom and to which archive; None when it was not."""
    row = conn.execute(_PURGED_OF, {"b_id": interchange_id}).first()
    return None if row is None else Purged(**row._mapping)


def unfreed(conn: sa.Connection, limit: int = AT_ONCE) -> list[str]:
    """Interchanges that an earlier purge did not come to the end with."""
    return list(conn.execute(_UNFREED.limit(limit)).scalars())


def aged(
    conn: sa.Connection,
    *,
    since: dt.datetime | None = None,
    before: dt.datetime,
    partner: str | None,
    after: str,
    limit: int = AT_ONCE,
    and_purged: bool = False,
) -> list[InterchangeRow]:
    """The next interchanges received in this time, by their ids, whatever their state."""
    columns = (interchanges.c[name] for name in InterchangeRow.__struct_fields__)
    query = sa.select(*columns).where(
        interchanges.c.id > after, interchanges.c.received_at < before
    )
    if since is not None:
        query = query.where(interchanges.c.received_at >= since)
    if partner is not None:
        query = query.where(interchanges.c.partner == partner)
    if not and_purged:
        query = query.where(~sa.exists().where(purged.c.interchange_id == interchanges.c.id))
    rows = conn.execute(query.order_by(interchanges.c.id).limit(limit))
    return [InterchangeRow(*row) for row in rows]


def still_open(conn: sa.Connection, row: InterchangeRow) -> str | None:
    """Why an interchange is not at its end, in words; None when it is, and nothing is owed."""
    if row.state is not InterchangeState.ACKNOWLEDGED:
        return f"it is {row.state}, not acknowledged"
    key = {"b_id": row.id}
    if row.documents_open or conn.execute(_OPEN_DOCUMENTS, key).scalar_one():
        return "not all of its documents came to their end"
    if conn.execute(_OWED, key).scalar_one():
        return "statuses of its invoices are still to be sent"
    if number := conn.execute(_UNDELIVERED, key).scalar_one():
        return f"messages of it have not arrived: {number}"
    if conn.execute(_NO_RECEIPT, key).scalar_one():
        return "an AS2 message of it waits for its receipt"
    return None


def version_of(conn: sa.Connection, interchange_id: str) -> str:
    """Changes with every step, message and receipt: what was archived is what is purged."""
    return ".".join(
        str(conn.execute(last, {"b_id": interchange_id}).scalar_one()) for last in _LAST
    )


def begin_purge(
    conn: sa.Connection, interchange_id: str, *, by: str, archive: str | None, now: dt.datetime
) -> None:
    """Say that its payloads are gone; from now on nobody relies on them."""
    row = {
        "interchange_id": interchange_id,
        "purged_at": now,
        "purged_by": by,
        "archive": archive,
        "stage": _MESSAGES,
    }
    conn.execute(sa.insert(purged), row)


def free_page(conn: sa.Connection, interchange_id: str, now: dt.datetime) -> Freed:
    """Free the next page of a purged interchange. Raises LookupError when it is not purged."""
    row = purged_of(conn, interchange_id)
    if row is None:
        raise LookupError(f"interchange {interchange_id} is not purged")
    if row.freed_at is not None:
        return Freed((), True)
    stage, position, size, left = row.stage, row.position, row.size, AT_ONCE
    sums: list[str] = []
    while left > 0 and stage != _ORIGINAL:
        free, following = _STAGES[stage]
        page = free(conn, interchange_id, position)
        left -= page.rows
        size += page.size
        sums += page.sums
        stage, position = (stage, page.position) if page.rows else (following, 0)
    done = stage == _ORIGINAL and left > 0
    if done:
        found = interchange(conn, interchange_id)
        assert found is not None  # a foreign key says so
        sums.append(found.sha256)
    values = {"stage": stage, "position": position, "size": size, "freed_at": now if done else None}
    conn.execute(sa.update(purged).where(_THE_PURGE).values(values), {"b_id": interchange_id})
    return Freed(_released(conn, sums), done)


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    """So many rows that were freed, payloads needed once less each, where to go on, bytes."""

    rows: int = 0
    sums: list[str] = []
    position: int = 0
    size: int = 0


def _free_messages(conn: sa.Connection, interchange_id: str, after: int) -> _Page:
    rows = conn.execute(_NEXT_MESSAGES, _after(interchange_id, after)).all()
    if not rows:
        return _Page()
    conn.execute(_EMPTY, {"b_ids": [row.id for row in rows if row.kind != "event"]})
    conn.execute(_DROP, {"b_ids": [row.id for row in rows if row.kind == "event"]})
    # The broker's row counts a body in the spool, also for those that go to a partner.
    sums = [str(row.headers[CLAIM_CHECK]) for row in rows if CLAIM_CHECK in row.headers]
    return _Page(
        rows=len(rows), sums=sums, position=rows[-1].id, size=sum(row.size for row in rows)
    )


def _free_files(conn: sa.Connection, interchange_id: str, after: int) -> _Page:
    key = _after(interchange_id, after)
    rows = conn.execute(_NEXT_FILES.limit(_LIMIT), key).all()
    if not rows:
        return _Page()
    last = rows[-1].ordinal
    if len(rows) == AT_ONCE:  # whole documents only: the position names a document
        first = rows[0].ordinal
        if first == last:
            rows = conn.execute(_NEXT_FILES.where(files.c.ordinal == first), key).all()
        else:
            rows = [row for row in rows if row.ordinal < last]
            last = rows[-1].ordinal
    return _Page(rows=len(rows), sums=[row.sha256 for row in rows], position=last)


def _free_as2(conn: sa.Connection, interchange_id: str, after: int) -> _Page:
    rows = conn.execute(_NEXT_AS2, _after(interchange_id, after)).all()
    if not rows:
        return _Page()
    conn.execute(_FORGET_RECEIPTS, {"b_ids": [row.id for row in rows]})
    return _Page(
        rows=len(rows),
        sums=[row.raw_sha256 for row in rows],
        position=rows[-1].id,
        size=sum(row.size for row in rows),
    )


_STAGES = {
    _MESSAGES: (_free_messages, _FILES),
    _FILES: (_free_files, _AS2),
    _AS2: (_free_as2, _ORIGINAL),
}
"""What is freed at each stage, and the stage that follows."""


def _after(interchange_id: str, after: int) -> dict[str, str | int]:
    return {"b_id": interchange_id, "b_after": after, "b_limit": AT_ONCE}


def _released(conn: sa.Connection, sums: list[str]) -> tuple[str, ...]:
    """Those that nobody needs any more."""
    return tuple(sum_ for sum_ in sums if release_payload(conn, sum_) == 0)
