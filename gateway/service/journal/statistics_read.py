"""What running totals answer. Reads only, and never a document."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from gateway.model.interchange import Environment
from gateway.service.journal.statistics_records import DAY, MONTH
from gateway.service.journal.statistics_tables import DIMENSIONS, rejection_causes, totals

BY: Final = (MONTH, DAY, *DIMENSIONS)
"""What answers can be broken down by."""


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted: documents received from `since` to `until`, both days included (UTC).

    The others: only of that partner, channel (a `Transport`), flow, format, profile; "" is what is
    not known of a document that could not be read so far. `environment` None: tests as well.
    """

    since: dt.date | None = None
    until: dt.date | None = None
    environment: str | None = Environment.PRODUCTION.value
    partner: str | None = None
    channel: str | None = None
    flow: str | None = None
    format: str | None = None
    profile: str | None = None


class Volume(msgspec.Struct, frozen=True):
    """How many documents there are of these: the values of what was asked by, in its order."""

    values: tuple[str, ...]
    accepted: int
    rejected: int

    @property
    def documents(self) -> int:
        """With a verdict that stands."""
        return self.accepted + self.rejected

    @property
    def rejection_rate(self) -> float:
        """The share that was rejected, from 0 to 1."""
        return self.rejected / self.documents if self.documents else 0.0


class Cause(msgspec.Struct, frozen=True):
    """A rule, and how many documents were rejected for it, perhaps among others."""

    values: tuple[str, ...]
    rule: str
    documents: int


def volumes(conn: sa.Connection, by: Sequence[str], extent: Extent) -> list[Volume]:
    """Verdicts by these words of `BY`, in their order; by none: one, of everything.

    Periods without a document are absent. Raises ValueError for other words.
    """
    grain = _grain(by, extent)
    keys = [_key(totals, name, grain) for name in by]
    accepted, rejected = (
        sa.func.coalesce(
            sa.func.sum(sa.case((totals.c.verdict == verdict, totals.c.documents), else_=0)), 0
        )
        for verdict in ("accepted", "rejected")
    )
    query = sa.select(*keys, accepted, rejected).where(*_conditions(totals, grain, extent))
    if keys:
        query = query.group_by(*keys).order_by(*keys)
    found = [Volume(tuple(row[:-2]), int(row[-2]), int(row[-1])) for row in conn.execute(query)]
    return [each for each in found if each.documents]


def causes(
    conn: sa.Connection, extent: Extent, *, by: Sequence[str] = (), limit: int = 20
) -> list[Cause]:
    """The rules that most documents were rejected for, those first. Raises ValueError."""
    table = rejection_causes
    grain = _grain(by, extent)
    keys = [_key(table, name, grain) for name in by]
    number = sa.func.sum(table.c.documents)
    query = (
        sa.select(*keys, table.c.rule, number)
        .where(*_conditions(table, grain, extent))
        .group_by(*keys, table.c.rule)
        .having(number > 0)
        .order_by(*keys, number.desc(), table.c.rule)
        .limit(limit)
    )
    return [Cause(tuple(row[:-2]), row[-2], int(row[-1])) for row in conn.execute(query)]


def _grain(by: Sequence[str], extent: Extent) -> str:
    """Totals of months where these are exact, for there are fewer of them."""
    if len(set(by)) < len(by) or not set(by) <= set(BY) or {MONTH, DAY} <= set(by):
        raise ValueError(f"statistics are by some of {', '.join(BY)}, not by {', '.join(by)}")
    since, until = extent.since, extent.until
    begins = since is None or since.day == 1
    ends = until is None or until.day == calendar.monthrange(until.year, until.month)[1]
    return MONTH if DAY not in by and begins and ends else DAY


def _key(table: sa.Table, name: str, grain: str) -> sa.ColumnElement[Any]:
    if name == DAY or (name == MONTH and grain == MONTH):
        return table.c.period.label(name)
    if name == MONTH:
        return sa.func.substr(table.c.period, 1, 7).label(name)
    return table.c[name]


def _conditions(table: sa.Table, grain: str, extent: Extent) -> list[sa.ColumnElement[bool]]:
    length = 7 if grain == MONTH else 10
    conditions = [table.c.grain == grain]
    if extent.since is not None:
        conditions.append(table.c.period >= extent.since.isoformat()[:length])
    if extent.until is not None:
        conditions.append(table.c.period <= extent.until.isoformat()[:length])
    for name in DIMENSIONS:
        value = getattr(extent, name)
        if value is not None:
            conditions.append(table.c[name] == value)
    return conditions
