"""Whether running totals are what the documents add up to, day by day, and by how much they differ.

What is compared is one snapshot. A verdict changes its document and the totals in one transaction,
so a difference that is found stays the same while others are written: it may be mended later.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any, Final

import sqlalchemy as sa

from gateway.service.journal.search_tables import searchable
from gateway.service.journal.search_words import microseconds
from gateway.service.journal.statistics_records import DAY, MONTH, Cell, Change
from gateway.service.journal.statistics_tables import DIMENSIONS, rejection_causes, totals

_LASTS: Final = {totals.name: "verdict", rejection_causes.name: "rule"}
_OF_DOCUMENTS: Final = tuple(
    sa.func.coalesce(searchable.c[name], "").label(name) for name in DIMENSIONS
)


def months_counted(conn: sa.Connection) -> tuple[str, str] | None:
    """The first and the last month (2026-03) that anything counts in; None: nothing does."""
    ends = []
    for least in (True, False):
        found = []
        order = searchable.c.received.asc() if least else searchable.c.received.desc()
        received = conn.execute(sa.select(searchable.c.received).order_by(order).limit(1)).scalar()
        if received is not None:
            found.append(_day_of(received).isoformat()[:7])
        edge = sa.func.min if least else sa.func.max
        for table in (totals, rejection_causes):
            for grain in (MONTH, DAY):
                query = sa.select(edge(table.c.period)).where(table.c.grain == grain)
                period = conn.execute(query).scalar()
                found += [period[:7]] if period is not None else []
        if not found:
            return None
        ends.append(min(found) if least else max(found))
    return ends[0], ends[1]


def day_differs(conn: sa.Connection, day: dt.date) -> Change:
    """What must be added to the totals of a day for them to be right."""
    begin = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
    received = searchable.c.received
    that_day = (
        received >= microseconds(begin),
        received < microseconds(begin + dt.timedelta(days=1)),
        searchable.c.verdict.is_not(None),
    )
    change = Change(Counter(), Counter())
    where = (DAY, day.isoformat())
    number = sa.func.count()
    counting = sa.select(*_OF_DOCUMENTS, searchable.c.verdict, number).where(*that_day)
    for *key, documents in conn.execute(counting.group_by(*_OF_DOCUMENTS, searchable.c.verdict)):
        change.totals[(*where, *key)] += documents
    refusing = sa.select(*_OF_DOCUMENTS, searchable.c.rules, number).where(
        *that_day, searchable.c.rules.is_not(None)
    )
    for *key, rules, documents in conn.execute(
        refusing.group_by(*_OF_DOCUMENTS, searchable.c.rules)
    ):
        for rule in rules.split():
            change.causes[(*where, *key, rule)] += documents
    for table, cells in _both(change):
        cells.subtract(_kept(conn, table, table.c.grain == DAY, table.c.period == where[1]))
    return _only_differences(change)


def month_differs(conn: sa.Connection, month: str) -> Change:
    """What must be added to the totals of a month for them to be those of its days."""
    change = Change(Counter(), Counter())
    for table, cells in _both(change):
        days = sa.and_(table.c.period > month, table.c.period < f"{month}-99")
        for cell, documents in _kept(conn, table, table.c.grain == DAY, days).items():
            cells[(MONTH, month, *cell[2:])] += documents
        cells.subtract(_kept(conn, table, table.c.grain == MONTH, table.c.period == month))
    return _only_differences(change)


def drop_empty(conn: sa.Connection, month: str) -> None:
    """Remove the rows of a month in which nothing is counted any more."""
    for table in (totals, rejection_causes):
        of_month = sa.and_(table.c.period >= month, table.c.period < f"{month}-99")
        for grain in (MONTH, DAY):
            conn.execute(
                sa.delete(table).where(table.c.grain == grain, of_month, table.c.documents == 0)
            )


def _both(change: Change) -> list[tuple[sa.Table, Counter[Cell]]]:
    return [(totals, change.totals), (rejection_causes, change.causes)]


def _kept(
    conn: sa.Connection, table: sa.Table, *conditions: sa.ColumnElement[bool]
) -> Counter[Cell]:
    key = [table.c[name] for name in ("grain", "period", *DIMENSIONS, _LASTS[table.name])]
    rows: Any = conn.execute(sa.select(*key, table.c.documents).where(*conditions))
    return Counter({tuple(row[:-1]): row[-1] for row in rows})


def _only_differences(change: Change) -> Change:
    return Change(
        *(Counter({cell: more for cell, more in cells.items() if more}) for cells in change)
    )


def _day_of(received: int) -> dt.date:
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=received)).date()
