"""What of the journal cannot be so: counts that are wrong, rows that lead nowhere, dead ends.

The questions read whole tables; nobody asks them but `edi-gateway doctor`, on a connection of its
own. The repairs are short: they get what was found, and leave alone what has changed since.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.service.journal.payload_records import payload_references
from gateway.service.journal.purge_records import CLAIM_CHECK
from gateway.service.journal.tables import (
    PENDING,
    OutboxState,
    as2_messages,
    claims,
    documents,
    files,
    interchanges,
    outbox,
    payloads,
    purged,
)

_D, _I = DocumentState, InterchangeState
_OPEN = (_D.EXTRACTED, _D.UNDETERMINED, _D.QUARANTINED)
_UNJUDGED = (_D.EXTRACTED, _D.UNDETERMINED)
_BESIDE = outbox.c.headers[CLAIM_CHECK].as_string()


def _needed() -> sa.Subquery:
    """Every need of a payload: by an interchange, its AS2 messages, attached files, large bodies.

    `sure` is 0 where a purge is under way, which may have given the reference back already.
    """
    uses = sa.union_all(
        sa.select(interchanges.c.id.label("interchange_id"), interchanges.c.sha256),
        sa.select(as2_messages.c.interchange_id, as2_messages.c.raw_sha256),
        sa.select(files.c.interchange_id, files.c.sha256),
        sa.select(outbox.c.interchange_id, _BESIDE).where(_BESIDE.is_not(None)),
    ).subquery()
    sure = sa.case((purged.c.interchange_id.is_(None), 1), else_=0)
    return (
        sa.select(uses.c.sha256, sa.func.sum(sure).label("least"), sa.func.count().label("most"))
        .outerjoin(purged, purged.c.interchange_id == uses.c.interchange_id)
        .where(purged.c.freed_at.is_(None))
        .group_by(uses.c.sha256)
        .subquery()
    )


_NEEDED = _needed()
_LEAST = sa.func.coalesce(_NEEDED.c.least, 0)
_MOST = sa.func.coalesce(_NEEDED.c.most, 0)
_MISCOUNTED = (
    sa.select(payloads.c.sha256, payloads.c.refs, _LEAST, _MOST, payloads.c.stored_at)
    .outerjoin(_NEEDED, _NEEDED.c.sha256 == payloads.c.sha256)
    .where(sa.or_(payloads.c.refs < _LEAST, payloads.c.refs > _MOST))
    .order_by(payloads.c.sha256)
)
_UNCOUNTED = (
    sa.select(_NEEDED.c.sha256, _NEEDED.c.least)
    .outerjoin(payloads, payloads.c.sha256 == _NEEDED.c.sha256)
    .where(payloads.c.sha256.is_(None), _NEEDED.c.least > 0)
    .order_by(_NEEDED.c.sha256)
)
_NUMBERS = (
    sa.select(
        documents.c.interchange_id,
        sa.func.count().label("total"),
        sa.func.sum(sa.case((documents.c.state.in_(_OPEN), 1), else_=0)).label("open"),
    )
    .group_by(documents.c.interchange_id)
    .subquery()
)
_TOTAL = sa.func.coalesce(_NUMBERS.c.total, 0)
_STILL_OPEN = sa.func.coalesce(_NUMBERS.c.open, 0)
_WRONG_NUMBERS = (
    sa.select(
        interchanges.c.id,
        interchanges.c.documents_total,
        interchanges.c.documents_open,
        _TOTAL,
        _STILL_OPEN,
    )
    .outerjoin(_NUMBERS, _NUMBERS.c.interchange_id == interchanges.c.id)
    .where(
        sa.or_(
            interchanges.c.documents_total != _TOTAL,
            interchanges.c.documents_open != _STILL_OPEN,
        )
    )
    .order_by(interchanges.c.id)
)
_OF_NOBODY = (
    sa.select(claims.c.partner, claims.c.key)
    .outerjoin(interchanges, interchanges.c.id == claims.c.interchange_id)
    .where(interchanges.c.id.is_(None))
)


def _has(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists().where(outbox.c.interchange_id == interchanges.c.id, *conditions)


def _holds(*states: DocumentState) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        documents.c.interchange_id == interchanges.c.id, documents.c.state.in_(states)
    )


_UNSENT = outbox.c.state != OutboxState.DELIVERED
_DEAD_ENDS: Mapping[str, sa.Select[Any]] = {
    "judged": sa.select(interchanges.c.id).where(interchanges.c.state == _I.JUDGED),
    "unanswered": sa.select(interchanges.c.id).where(
        interchanges.c.state.in_((_I.SETTLED, _I.REFUSED)),
        ~_has(outbox.c.kind == "report", _UNSENT),
    ),
    "unjudged": sa.select(interchanges.c.id).where(
        interchanges.c.state.in_((_I.SETTLED, _I.ACKNOWLEDGED)), _holds(*_UNJUDGED)
    ),
    "unpublished": sa.select(interchanges.c.id).where(
        _holds(_D.ACCEPTED, _D.REJECTED),
        ~_has(outbox.c.kind == "document", _UNSENT),
    ),
    "empty quarantine": sa.select(interchanges.c.id).where(
        interchanges.c.state == _I.QUARANTINED, ~_holds(_D.QUARANTINED)
    ),
}
"""Word → the interchanges that stand so, and that nothing moves any more."""

_BODILESS = sa.select(outbox.c.message_id).where(
    PENDING, sa.func.length(outbox.c.body) == 0, outbox.c.payload.is_(None)
)


class Miscounted(msgspec.Struct, frozen=True):
    """A payload that is counted as needed so often, and is from `least` to `most` times."""

    sha256: str
    refs: int
    least: int
    most: int
    stored_at: dt.datetime


class Uncounted(msgspec.Struct, frozen=True):
    """A payload that is needed so often, and not counted."""

    sha256: str
    least: int


class WrongNumbers(msgspec.Struct, frozen=True):
    """An interchange that says so many documents, so many of them open; and what is true."""

    id: str
    total: int
    still_open: int
    true_total: int
    truly_open: int


def miscounted(conn: sa.Connection, limit: int) -> list[Miscounted]:
    """Payloads whose count is wrong."""
    return [Miscounted(*row) for row in conn.execute(_MISCOUNTED.limit(limit))]


def uncounted(conn: sa.Connection, limit: int) -> list[Uncounted]:
    """Payloads that something needs and that are not counted at all: nothing protects them."""
    return [Uncounted(*row) for row in conn.execute(_UNCOUNTED.limit(limit))]


def wrong_numbers(conn: sa.Connection, limit: int) -> list[WrongNumbers]:
    """Interchanges whose number of documents, or of open ones, is wrong."""
    return [WrongNumbers(*row) for row in conn.execute(_WRONG_NUMBERS.limit(limit))]


def claims_of_nobody(conn: sa.Connection, limit: int) -> list[str]:
    """Claims that lead to no interchange: a resend would be answered with nothing."""
    return [f"{row.partner}: {row.key}" for row in conn.execute(_OF_NOBODY.limit(limit))]


def dead_ends(conn: sa.Connection, limit: int) -> dict[str, list[str]]:
    """Interchanges that nothing moves any more, by the words of `_DEAD_ENDS`."""
    return {
        word: list(conn.execute(query.order_by(interchanges.c.id).limit(limit)).scalars())
        for word, query in _DEAD_ENDS.items()
    }


def bodiless(conn: sa.Connection, limit: int) -> list[str]:
    """Messages to be sent that hold nothing to send."""
    return list(conn.execute(_BODILESS.limit(limit)).scalars())


def payloads_page(conn: sa.Connection, after: str, limit: int) -> list[tuple[str, int]]:
    """The next payloads that the journal counts, with their sizes, by their sums."""
    query = (
        sa.select(payloads.c.sha256, payloads.c.size)
        .where(payloads.c.sha256 > after)
        .order_by(payloads.c.sha256)
        .limit(limit)
    )
    return [(row.sha256, row.size) for row in conn.execute(query)]


def set_counts(
    conn: sa.Connection,
    wrong: Sequence[Miscounted],
    unknown: Sequence[Uncounted],
    sizes: Mapping[str, int],
    now: dt.datetime,
) -> int:
    """Set counts that were found wrong, unless they changed since; how many.

    Where a purge is under way none is set. `sizes`: of the payloads that the spool has.
    """
    changed = 0
    for found in wrong:
        if found.least != found.most:
            continue
        # Every new need renews the time, every need that goes lowers the count.
        as_found = sa.and_(
            payloads.c.sha256 == found.sha256,
            payloads.c.refs == found.refs,
            payloads.c.stored_at == found.stored_at,
        )
        if found.most:
            step = sa.update(payloads).where(as_found).values(refs=found.most)
            changed += conn.execute(step).rowcount
        else:
            changed += conn.execute(sa.delete(payloads).where(as_found)).rowcount
    for each in unknown:
        if each.sha256 in sizes and not payload_references(conn, each.sha256):
            new = {"sha256": each.sha256, "size": sizes[each.sha256], "refs": each.least}
            changed += conn.execute(sa.insert(payloads).values(**new, stored_at=now)).rowcount
    return changed


def set_numbers(conn: sa.Connection, wrong: Sequence[WrongNumbers]) -> int:
    """Set numbers of documents that were found wrong, unless they changed since; how many."""
    changed = 0
    for each in wrong:
        as_found = sa.and_(
            interchanges.c.id == each.id,
            interchanges.c.documents_total == each.total,
            interchanges.c.documents_open == each.still_open,
        )
        right = {"documents_total": each.true_total, "documents_open": each.truly_open}
        changed += conn.execute(sa.update(interchanges).where(as_found).values(**right)).rowcount
    return changed


def forget_claims(conn: sa.Connection) -> int:
    """Remove the claims that lead nowhere: a resend is then taken in as new. How many."""
    known = sa.select(interchanges.c.id)
    return conn.execute(sa.delete(claims).where(claims.c.interchange_id.not_in(known))).rowcount
