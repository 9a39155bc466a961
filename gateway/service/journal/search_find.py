"""Searching documents, the newest first, in bounded time whatever the journal holds.

What is looked for together with the month leads an index. First all months at once: that is the
answer where no more than `SORTED` documents fit, which may be sorted. Else month by month, from the
newest, until a page is full. In a month where more fit than that, every so-many-th document does,
so they are met soon when the month is walked from its end. A search that would go through more than
`LOOKED_THROUGH` documents stops there: its page may be empty, and says where to go on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from gateway.service.journal.search_conditions import (
    Alternative,
    Clause,
    Criteria,
    Of,
    Rejected,
    bounds_of,
    clauses_of,
    filters_of,
)
from gateway.service.journal.search_hits import Hit, hits_of
from gateway.service.journal.search_tables import REJECTED, searchable
from gateway.service.journal.search_words import microseconds, moment, month_begins, month_of

SORTED: Final = 10_000
"""Documents that are sorted for a page, where indexes say everything about them."""
LOOKUP: Final = 6
"""What reading a document's row costs more than its place in an index."""
WALKED: Final = 10_000
"""Documents of a month that are walked through for a page."""
LOOKED_THROUGH: Final = 30_000
"""Documents after which a page ends, full or not."""

_MOST: Final = 2**63
"""What a number in the journal is below."""
_ROW: Final = searchable.c
_NEWEST_FIRST: Final = (_ROW.received.desc(), _ROW.id.desc())
_SORTED_NEWEST_FIRST: Final = ((_ROW.received + 0).desc(), _ROW.id.desc())


_Counts = list[tuple[int, Clause]]


class Place(NamedTuple):
    """Where a page ends: before the document received then, with this number."""

    received: int
    id: int


class FoundPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of results. `next`: what to give as `after` for the one that follows; None: no more.

    `looked_back_to`: the search stopped there because it had looked through enough; older
    documents may fit as well.
    """

    hits: tuple[Hit, ...] = ()
    next: str | None = None
    looked_back_to: dt.datetime | None = None


def search(
    conn: sa.Connection, wanted: Criteria, *, limit: int = 50, after: str | None = None
) -> FoundPage:
    """The next documents that fit, the newest first. Raises ValueError for no such `after`."""
    clauses = clauses_of(conn, wanted)
    if any(not clause for clause in clauses):
        return FoundPage()
    looking = _Looking(conn, wanted, clauses, limit, None if after is None else place_of(after))
    stopped = looking.go()
    rows = looking.found[:limit]
    more = None
    if len(looking.found) > limit:
        stopped, more = None, rows[-1]
    elif stopped is not None:
        more = Place(stopped, 0)
    return FoundPage(
        hits=hits_of(conn, [row.id for row in rows]),
        next=None if more is None else f"{more.received}.{more.id}",
        looked_back_to=None if stopped is None else moment(stopped),
    )


def place_of(text: str) -> Place:
    """What `FoundPage.next` says. Raises ValueError for anything else."""
    received, _, number = text.partition(".")
    place = Place(int(received), int(number))
    if not all(-_MOST <= each < _MOST for each in place):
        raise ValueError(f"invalid literal for a place: {text[:100]}")
    return place


class _Looking:
    """One search under way. `found`: one more than the page has, if there are."""

    def __init__(
        self,
        conn: sa.Connection,
        wanted: Criteria,
        clauses: Sequence[Clause],
        limit: int,
        after: Place | None,
    ) -> None:
        self._conn = conn
        self._clauses = clauses
        self._limit = limit
        self._after = after
        self._partner = wanted.partner
        self._since, self._until = bounds_of(wanted)
        self._filters = filters_of(wanted)
        self._spent = 0
        self.found: list[Place] = []

    def go(self) -> int | None:
        """Find a page; the moment back to which all was looked at, None when that was all."""
        span = self._span()
        if span is None:
            return None
        months = range(span[1], span[0] - 1, -1)
        if not self._clauses:
            return self._walk(months)
        counted = self._counted(months)
        if self._walks(counted, months, few=True):
            return self._walk(months)
        if counted[0][0] <= self._most(counted):
            self._sort(counted, months)
            return None
        return self._month_by_month(months)

    def _month_by_month(self, months: Sequence[int]) -> int | None:
        size = 1
        while months and self._wants_more:
            batch = months[:size]
            counted = self._counted(batch)
            number, most = counted[0][0], self._most(counted)
            walks = self._walks(counted, batch)
            if number > most and not walks and size > 1:
                size = max(1, size // 4)
                continue
            if walks or number > most:
                stopped = self._walk(batch)
                if stopped is not None:
                    return stopped
            else:
                self._spent += number
                self._sort(counted, batch)
                size = size * 2 if number < most // 8 else size
            months = months[len(batch) :]
            if self._spent >= LOOKED_THROUGH and len(months) and self._wants_more:
                return microseconds(month_begins(batch[-1]))
        return None

    def _most(self, counted: _Counts) -> int:
        """How many may be sorted: fewer, when rows must be read to know whether they fit."""
        reads = self._filters or any(number > SORTED for number, _ in counted[1:])
        return max(1, SORTED // LOOKUP) if reads else SORTED

    def _walks(self, counted: _Counts, months: Sequence[int], *, few: bool = False) -> bool:
        """Whether a partner's documents are so few that they are better walked through."""
        if self._partner is None:
            return False
        most = counted[0][0] // LOOKUP
        most = min(most, WALKED // LOOKUP) if few else most
        return self._count([*self._source(), *_between(months)], most + 1) <= most

    @property
    def _wants_more(self) -> bool:
        return len(self.found) <= self._limit

    def _span(self) -> tuple[int, int] | None:
        """The first and the last month to look into; None: there are none."""
        ends = []
        for order in (_ROW.received.asc(), _ROW.received.desc()):
            query = sa.select(_ROW.received).where(*self._source()).order_by(order).limit(1)
            received = self._conn.execute(query).scalar()
            if received is None:
                return None
            ends.append(month_of(moment(received)))
        return ends[0], ends[1]

    def _source(self) -> list[sa.ColumnElement[bool]]:
        """What the indexes by time of receipt are asked with."""
        conditions: list[sa.ColumnElement[bool]] = []
        if self._partner is not None:
            conditions.append(searchable.c.partner == self._partner)
        if self._since is not None:
            conditions.append(_ROW.received >= self._since)
        if self._until is not None:
            conditions.append(_ROW.received < self._until)
        if self._after is not None:
            conditions.append(sa.tuple_(_ROW.received, _ROW.id) < sa.tuple_(*self._after))
        return conditions

    def _loose_source(self) -> list[sa.ColumnElement[bool]]:
        """The same, where another index leads."""
        received, conditions = _ROW.received + 0, []
        if self._partner is not None:
            conditions.append(sa.func.coalesce(searchable.c.partner, "") == self._partner)
        if self._since is not None:
            conditions.append(received >= self._since)
        if self._until is not None:
            conditions.append(received < self._until)
        if self._after is not None:
            before = sa.and_(received == self._after.received, _ROW.id + 0 < self._after.id)
            conditions.append(sa.or_(received < self._after.received, before))
        return conditions

    def _counted(self, months: Sequence[int]) -> _Counts:
        """The clauses, those first that the fewest documents of these months fit, and how many."""
        counts = [(self._number(clause, months), clause) for clause in self._clauses]
        return sorted(counts, key=lambda each: each[0])

    def _number(self, clause: Clause, months: Sequence[int]) -> int:
        """How many fit, counted as far as is worth while."""
        number = 0
        for alternative in clause:
            if number <= SORTED:
                number += self._count(_leading(alternative, months), SORTED + 1 - number)
        return number

    def _count(self, conditions: Sequence[sa.ColumnElement[bool]], most: int) -> int:
        some = sa.select(sa.literal(1)).select_from(searchable).where(*conditions).limit(most)
        counting = sa.select(sa.func.count()).select_from(some.subquery())
        return self._conn.execute(counting).scalar_one()

    def _sort(self, counted: _Counts, months: Sequence[int]) -> None:
        """Take the newest of what fits the first clause, and everything else."""
        others = [
            _among(clause, months) if number <= SORTED else _any_of(clause)
            for number, clause in counted[1:]
        ]
        rows: set[Place] = set()
        for alternative in counted[0][1]:
            query = (
                sa.select(_ROW.received, _ROW.id)
                .where(
                    *_leading(alternative, months),
                    *_between(months, _ROW.received + 0),  # an index of ids knows no months
                    *self._loose_source(),
                    *others,
                    *self._filters,
                )
                .order_by(*_SORTED_NEWEST_FIRST)
                .limit(self._limit + 1)
            )
            rows.update(Place(*row) for row in self._conn.execute(query))
        self.found += sorted(rows, reverse=True)

    def _walk(self, months: Sequence[int]) -> int | None:
        """Take what fits from the end of these months; how far back that went, None: all of it."""
        conditions: list[Any] = [*self._source(), *_between(months)]
        rejected = [each for clause in self._clauses for each in clause if _is_rejected(each)]
        if rejected and self._partner is None:
            conditions.append(REJECTED)
        cut = sa.select(_ROW.received).where(*conditions).order_by(*_NEWEST_FIRST)
        floor = self._conn.execute(cut.offset(WALKED).limit(1)).scalar()
        if floor is not None:
            conditions.append(_ROW.received >= floor)
        query = (
            sa.select(_ROW.received, _ROW.id)
            .where(*conditions, *(_any_of(clause) for clause in self._clauses), *self._filters)
            .order_by(*_NEWEST_FIRST)
            .limit(self._limit + 1)
        )
        self.found += [Place(*row) for row in self._conn.execute(query)]
        self._spent += WALKED
        return floor if floor is not None and self._wants_more else None


def _between(months: Sequence[int], received: Any = _ROW.received) -> list[Any]:
    """Received in these months, which stand together, the newest first."""
    begin, end = month_begins(months[-1]), month_begins(months[0] + 1)
    return [received >= microseconds(begin), received < microseconds(end)]


def _leading(alternative: Alternative, months: Sequence[int]) -> list[Any]:
    """What leads an index to an alternative."""
    if isinstance(alternative, Rejected):
        return [*_between(months), alternative.indexed()]
    if isinstance(alternative, Of) or alternative.column == "interchange_id":
        return [alternative.indexed()]
    return [searchable.c.month.in_(months), alternative.indexed()]


def _among(clause: Clause, months: Sequence[int]) -> sa.ColumnElement[bool]:
    """Among what an index says of another clause: no row is read for it."""
    return sa.or_(
        *(
            (_ROW.id + 0).in_(sa.select(_ROW.id).where(*_leading(alternative, months)))
            for alternative in clause
        )
    )


def _is_rejected(alternative: Alternative) -> bool:
    return isinstance(alternative, Rejected)


def _any_of(clause: Clause) -> sa.ColumnElement[bool]:
    return sa.or_(*(alternative.loose() for alternative in clause))
