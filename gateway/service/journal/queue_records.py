"""How much waits for which destination, and which interchanges wait too long for their answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa

from gateway.model.lifecycle import InterchangeState
from gateway.service.journal.due_records import ACKNOWLEDGEMENTS, BEFORE_ITS_TURN, HELD
from gateway.service.journal.given_records import owed_of
from gateway.service.journal.outbox_records import BROKER
from gateway.service.journal.tables import (
    DEAD,
    PENDING,
    OutboxState,
    interchanges,
    outbox,
    statuses_owed,
)

UNANSWERED = frozenset(InterchangeState) - {InterchangeState.ACKNOWLEDGED}
"""States in which the acknowledgement has not left."""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What has not arrived at one destination. `partner` "" where it is not a partner's.

    `waiting` counts all that are not dead; of these, `held` are held by an operator, and
    `before_turn` wait until the results they speak of are confirmed. `attempts` is the most of any.
    `oldest` is of all of these, `oldest_due` of those that nothing but the destination keeps.
    """

    destination: str
    partner: str
    waiting: int
    held: int
    before_turn: int
    dead: int
    attempts: int
    oldest: dt.datetime
    oldest_due: dt.datetime | None = None
    next_attempt_at: dt.datetime | None
    last_error: str | None


class Late(msgspec.Struct, frozen=True):
    """An interchange whose acknowledgement should have left."""

    interchange: str
    partner: str
    flow: str | None
    state: InterchangeState
    received_at: dt.datetime
    cause: str | None


_BROKERS_HAVE_NO_PARTNER = sa.case((outbox.c.destination == BROKER, ""), else_=outbox.c.partner)
_IS_PENDING = outbox.c.state == OutboxState.PENDING
_KEY = (outbox.c.destination, _BROKERS_HAVE_NO_PARTNER.label("partner"))


def _number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


_QUEUES = sa.select(
    *_KEY,
    _number(_IS_PENDING).label("waiting"),
    _number(sa.and_(_IS_PENDING, HELD)).label("held"),
    _number(sa.and_(_IS_PENDING, sa.not_(HELD), BEFORE_ITS_TURN)).label("before_turn"),
    _number(outbox.c.state == OutboxState.DEAD).label("dead"),
    sa.func.max(outbox.c.attempts).label("attempts"),
    sa.func.min(outbox.c.created_at).label("oldest"),
    sa.func.min(
        sa.case(
            (sa.and_(_IS_PENDING, sa.not_(HELD), sa.not_(BEFORE_ITS_TURN)), outbox.c.created_at)
        )
    ).label("oldest_due"),
    sa.func.min(sa.case((sa.and_(_IS_PENDING, sa.not_(HELD)), outbox.c.next_attempt_at))).label(
        "next_attempt_at"
    ),
)
_LAST_ERROR = (
    sa.select(outbox.c.last_error)
    .where(
        outbox.c.destination == sa.bindparam("b_destination"),
        outbox.c.last_error.is_not(None),
        sa.or_(sa.bindparam("b_partner") == "", outbox.c.partner == sa.bindparam("b_partner")),
    )
    .order_by(outbox.c.next_attempt_at.desc(), outbox.c.id.desc())
    .limit(1)
)


def queues(conn: sa.Connection, *, committed: Collection[str] = ()) -> list[Queue]:
    """Every destination for which something waits or is dead.

    `committed`: flows whose acknowledgements do not wait for their results.
    """
    # Each state has a partial index of what is in it; "or" would use neither.
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for state in (PENDING, DEAD):
        query = _QUEUES.where(state).group_by(*_KEY)
        for row in conn.execute(query, {"b_committed": sorted(committed)}):
            _add(rows.setdefault((row.destination, row.partner), {}), dict(row._mapping))
    return [Queue(**rows[key], last_error=_last_error(conn, *key)) for key in sorted(rows)]


def dead_number(conn: sa.Connection) -> int:
    """How many messages are dead."""
    return int(
        conn.execute(sa.select(sa.func.count()).select_from(outbox).where(DEAD)).scalar_one()
    )


def _add(to: dict[str, Any], more: dict[str, Any]) -> None:
    if not to:
        to.update(more)
        return
    for name in ("waiting", "held", "before_turn", "dead"):
        to[name] += more[name]
    to["attempts"] = max(to["attempts"], more["attempts"])
    to["oldest"] = min(to["oldest"], more["oldest"])


def _last_error(conn: sa.Connection, destination: str, partner: str) -> str | None:
    """What the attempt said that failed last."""
    key = {"b_destination": destination, "b_partner": partner}
    for state in (PENDING, DEAD):
        found = conn.execute(_LAST_ERROR.where(state), key).scalar()
        if found is not None:
            return str(found)
    return None


def late_interchanges(conn: sa.Connection, before: dt.datetime, limit: int) -> list[Late]:
    """Interchanges whose acknowledgements should have left, the oldest first.

    Received before then and not answered; or reported on before then and not told of every status;
    or with an acknowledgement, a later status too, that has waited since before then.
    """
    unanswered = sa.select(interchanges.c.id).where(
        interchanges.c.state.in_(sorted(UNANSWERED)), interchanges.c.received_at < before
    )
    owed = sa.select(statuses_owed.c.interchange_id).where(statuses_owed.c.waiting_since < before)
    waiting = [
        sa.select(outbox.c.interchange_id).where(
            state, outbox.c.kind.in_(ACKNOWLEDGEMENTS), outbox.c.created_at < before
        )
        for state in (PENDING, DEAD)
    ]
    query = (
        sa.select(
            interchanges.c.id,
            interchanges.c.partner,
            interchanges.c.flow,
            interchanges.c.state,
            interchanges.c.received_at,
            interchanges.c.cause,
        )
        .where(interchanges.c.id.in_(sa.union(unanswered, owed, *waiting)))
        .order_by(interchanges.c.id)
        .limit(limit)
    )
    return [Late(*row) for row in conn.execute(query)]


def why_waiting(conn: sa.Connection, interchange_id: str) -> str | None:
    """What the last attempt to send an acknowledgement said, or what holds it back.

    A status that is not made yet is one of them.
    """
    owed = owed_of(conn, interchange_id)
    if owed is not None and owed.cause is not None:
        return f"statuses of its invoices cannot be sent: {owed.cause}"
    query = (
        sa.select(outbox.c.last_error, outbox.c.destination, outbox.c.state, HELD.label("held"))
        .where(
            outbox.c.interchange_id == interchange_id,
            outbox.c.kind.in_(ACKNOWLEDGEMENTS),
            outbox.c.state != OutboxState.DELIVERED,
        )
        .order_by(outbox.c.id)
    )
    for row in conn.execute(query):
        if row.held:
            return f"its acknowledgement to {row.destination} is held"
        return row.last_error or f"its acknowledgement to {row.destination} waits"
    return "statuses of its invoices are being made" if owed is not None else None
