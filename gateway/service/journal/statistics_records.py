"""Running totals: what a verdict adds to them, and takes from them when it is judged again."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from gateway.service.journal.statistics_tables import DIMENSIONS, rejection_causes, totals

MONTH: Final = "month"
DAY: Final = "day"

_UPSERT: Final = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_KEYS: Final = {
    table: [column.name for column in table.primary_key] for table in (totals, rejection_causes)
}


class Counted(NamedTuple):
    """As what a document counts. `rules` are those it was rejected for, each once."""

    at: dt.date
    environment: str
    partner: str
    channel: str
    flow: str
    format: str
    profile: str
    verdict: str
    rules: tuple[str, ...] = ()

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Their values, in the order of the tables."""
        return self[1:7]


Cell = tuple[str, ...]
"""A row of totals by the values of its key, in the order of the columns."""


class Change(NamedTuple):
    """How many documents more, or fewer, there are in which row: of `totals`, and of causes."""

    totals: Counter[Cell]
    causes: Counter[Cell]


def change_of(added: Iterable[Counted], removed: Iterable[Counted] = ()) -> Change:
    """What changes when documents count as the one and no longer as the other."""
    change = Change(Counter(), Counter())
    for counted_as, number in ((added, 1), (removed, -1)):
        for each in counted_as:
            for grain, period in periods_of(each.at):
                where = (grain, period, *each.dimensions)
                change.totals[(*where, each.verdict)] += number
                for rule in each.rules:
                    change.causes[(*where, rule)] += number
    return change


def periods_of(day: dt.date) -> tuple[tuple[str, str], tuple[str, str]]:
    """The periods a document that was received that day counts in."""
    written = day.isoformat()
    return ((MONTH, written[:7]), (DAY, written))


def apply_change(conn: sa.Connection, change: Change) -> None:
    """Add it to the running totals."""
    for table, cells in ((totals, change.totals), (rejection_causes, change.causes)):
        rows = [
            dict(zip(_KEYS[table], cell, strict=True), documents=number)
            for cell, number in cells.items()
            if number
        ]
        if rows:
            conn.execute(_ADD[conn.dialect.name, table.name], rows)


def _adding(dialect: str, table: sa.Table) -> Any:
    insert: Any = _UPSERT[dialect](table).inline()
    more = table.c.documents + insert.excluded.documents
    return insert.on_conflict_do_update(index_elements=_KEYS[table], set_={"documents": more})


_ADD: Final[Mapping[tuple[str, str], Any]] = {
    (dialect, table.name): _adding(dialect, table) for dialect in _UPSERT for table in _KEYS
}
assert len(DIMENSIONS) == len(Counted._fields) - 3
