"""Statuses we give: which one each document has, and which interchanges are still owed some."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

import msgspec
import sqlalchemy as sa

from gateway.service.journal.tables import statuses_given, statuses_owed


class Given(msgspec.Struct, frozen=True):
    """The last status that was told of a document (0: of the whole file), and how many were."""

    ordinal: int
    recipient: str
    status: str
    times: int


class Owed(msgspec.Struct, frozen=True):
    """An interchange whose report is written, and whose statuses are not all. `cause`: why not.

    `since`: of that report, which names the debt; `waiting_since`: of the first whose statuses
    are not all told.
    """

    interchange_id: str
    partner: str
    since: dt.datetime
    waiting_since: dt.datetime
    attempts: int
    next_attempt_at: dt.datetime
    cause: str | None


class OwedNumbers(msgspec.Struct, frozen=True):
    """How many interchanges are owed statuses; of these, how many in vain, and for too long."""

    all: int = 0
    failed: int = 0
    late: int = 0


_GIVEN = sa.select(
    *(statuses_given.c[name] for name in ("ordinal", "recipient", "status", "times"))
).where(
    statuses_given.c.interchange_id == sa.bindparam("b_id"),
    statuses_given.c.ordinal.between(sa.bindparam("b_from"), sa.bindparam("b_to")),
)
_OWED = sa.select(*(statuses_owed.c[name] for name in Owed.__struct_fields__))
_DUE = (
    _OWED.where(
        statuses_owed.c.partner == sa.bindparam("b_partner"),
        statuses_owed.c.next_attempt_at <= sa.bindparam("b_now"),
        statuses_owed.c.interchange_id.not_in(sa.bindparam("b_but", expanding=True)),
    )
    .order_by(statuses_owed.c.next_attempt_at)
    .limit(sa.bindparam("b_limit"))
)
_NEXT_PARTNER = (
    sa.select(statuses_owed.c.partner)
    .where(statuses_owed.c.partner > sa.bindparam("b_partner"))
    .order_by(statuses_owed.c.partner)
    .limit(1)
)
_OF = _OWED.where(statuses_owed.c.interchange_id == sa.bindparam("b_id"))
_FAILING = _OWED.where(statuses_owed.c.cause.is_not(None)).order_by(statuses_owed.c.waiting_since)
_LONG = _OWED.where(statuses_owed.c.waiting_since < sa.bindparam("b_before")).order_by(
    statuses_owed.c.waiting_since
)
_NUMBER = sa.select(sa.func.count()).select_from(statuses_owed)
_FORGET = sa.delete(statuses_given).where(
    statuses_given.c.interchange_id == sa.bindparam("b_id"),
    statuses_given.c.ordinal == sa.bindparam("b_ordinal"),
    statuses_given.c.recipient == sa.bindparam("b_recipient"),
)
# A debt of a later report is another one: it must not be paid by what was told of the earlier.
_THIS = sa.and_(
    statuses_owed.c.interchange_id == sa.bindparam("b_id"),
    statuses_owed.c.since == sa.bindparam("b_since", type_=statuses_owed.c.since.type),
)
_PAID = sa.delete(statuses_owed).where(_THIS)
_LATER = (
    sa.update(statuses_owed)
    .where(_THIS)
    .values(
        attempts=statuses_owed.c.attempts + 1,
        next_attempt_at=sa.bindparam("b_next"),
        cause=sa.bindparam("b_cause"),
    )
)


def owe(conn: sa.Connection, interchange_id: str, partner: str, now: dt.datetime) -> None:
    """Note that the documents of an interchange have statuses to be told of.

    A debt that was there already is part of this one: its age stays, and so does what kept it
    from being paid, until that is attempted again.
    """
    before = owed_of(conn, interchange_id)
    conn.execute(sa.delete(statuses_owed).where(statuses_owed.c.interchange_id == interchange_id))
    owed = Owed(
        interchange_id=interchange_id,
        partner=partner,
        since=now,
        waiting_since=before.waiting_since if before else now,
        attempts=0,
        next_attempt_at=now,
        cause=before.cause if before else None,
    )
    conn.execute(sa.insert(statuses_owed), msgspec.structs.asdict(owed))


def partners_owed(conn: sa.Connection) -> list[str]:
    """Every partner whose interchanges are owed statuses, due or not, by name."""
    found: list[str] = []
    partner: str | None = ""
    while (partner := conn.execute(_NEXT_PARTNER, {"b_partner": partner}).scalar()) is not None:
        found.append(partner)
    return found


def owed_now(
    conn: sa.Connection,
    partner: str,
    now: dt.datetime,
    limit: int,
    *,
    but: Collection[str] = (),
) -> list[Owed]:
    """What of a partner may be attempted now, the longest due first, `but` these interchanges."""
    values = {"b_partner": partner, "b_now": now, "b_limit": limit, "b_but": sorted(but)}
    return [Owed(*row) for row in conn.execute(_DUE, values)]


def owed_of(conn: sa.Connection, interchange_id: str) -> Owed | None:
    """What an interchange is owed, if it is."""
    row = conn.execute(_OF, {"b_id": interchange_id}).first()
    return None if row is None else Owed(*row)


def owed_number(conn: sa.Connection) -> int:
    """How many interchanges are owed statuses, attempted or not."""
    return int(conn.execute(_NUMBER).scalar_one())


def owed_numbers(conn: sa.Connection, late_before: dt.datetime) -> OwedNumbers:
    """How much is owed; late is what has waited since before then."""
    failed = statuses_owed.c.cause.is_not(None)
    late = statuses_owed.c.waiting_since < late_before
    query = sa.select(
        sa.func.count().label("all"),
        sa.func.count(sa.case((failed, 1))).label("failed"),
        sa.func.count(sa.case((late, 1))).label("late"),
    ).select_from(statuses_owed)
    row = conn.execute(query).one()
    return OwedNumbers(row.all, row.failed, row.late)


def owed_in_vain(conn: sa.Connection) -> list[Owed]:
    """What was attempted and failed."""
    return [Owed(*row) for row in conn.execute(_FAILING)]


def owed_since_before(conn: sa.Connection, before: dt.datetime) -> list[Owed]:
    """What has been owed since before then, attempted or not, the oldest first."""
    return [Owed(*row) for row in conn.execute(_LONG, {"b_before": before})]


def still_owed(conn: sa.Connection, owed: Owed) -> Owed | None:
    """The same debt as it stands; None when it is paid, or part of a later one."""
    now = owed_of(conn, owed.interchange_id)
    return now if now is not None and now.since == owed.since else None


def paid(conn: sa.Connection, owed: Owed) -> None:
    """Everything is in the outbox, or nobody is to be told of it any more."""
    conn.execute(_PAID, {"b_id": owed.interchange_id, "b_since": owed.since})


def owed_later(conn: sa.Connection, owed: Owed, cause: str, at: dt.datetime) -> None:
    """It did not work: try again at `at`."""
    values = {
        "b_id": owed.interchange_id,
        "b_since": owed.since,
        "b_next": at,
        "b_cause": cause,
    }
    conn.execute(_LATER, values)


def given_between(
    conn: sa.Connection, interchange_id: str, first: int, last: int
) -> dict[tuple[int, str], Given]:
    """What was told of these documents, by ordinal and recipient."""
    rows = conn.execute(_GIVEN, {"b_id": interchange_id, "b_from": first, "b_to": last})
    return {(row.ordinal, row.recipient): Given(*row) for row in rows}


def give(
    conn: sa.Connection, interchange_id: str, given: Iterable[Given], now: dt.datetime
) -> None:
    """Note the statuses that messages in this transaction tell."""
    rows = [
        {"interchange_id": interchange_id, "given_at": now, **msgspec.structs.asdict(each)}
        for each in given
    ]
    for row in rows:
        conn.execute(
            _FORGET,
            {"b_id": interchange_id, "b_ordinal": row["ordinal"], "b_recipient": row["recipient"]},
        )
    if rows:
        conn.execute(sa.insert(statuses_given), rows)
