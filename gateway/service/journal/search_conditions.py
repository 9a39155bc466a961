"""What people ask for, as conditions that an index serves, or that none does.

SQLite and PostgreSQL choose an index by what they guess of the data. A search says itself what is
looked up and what is only compared: a condition that stands inside `coalesce`, a sum that is
ordered by, are out of reach of an index.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from gateway.service.journal.search_tables import REJECTED, searchable
from gateway.service.journal.search_words import (
    ABOVE,
    compact,
    microseconds,
    plain,
    typed_amount,
    typed_day,
)
from gateway.service.journal.tables import as2_messages, outbox

BEGINNING: Final = 3
"""Characters from which on a text finds what begins with it; a shorter one must be all of it."""
MESSAGES: Final = 200
"""Interchanges that one Message-ID may lead to."""

_ID: Final = re.compile(r"[0-9a-f]{8}[0-9a-f-]*")
_NAMES: Final = {"seller_name": plain, "buyer_name": plain, "file": plain, "name": plain}
_IDS: Final = {"number": compact, "seller_id": compact, "buyer_id": compact}


class Criteria(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; all that is given must hold.

    `text` may be any of them. Texts find what begins with them, `exact` ones what is the same.
    Amounts are hundredths; `until` and `issued_until` are the last day that is meant, the days of
    receipt in UTC. `partner` is also the scope of a partner's own view. `rule`: rejected for it.
    """

    text: str | None = None
    number: str | None = None
    seller: str | None = None
    buyer: str | None = None
    file: str | None = None
    message_id: str | None = None
    amount_from: int | None = None
    amount_to: int | None = None
    issued_since: dt.date | None = None
    issued_until: dt.date | None = None
    since: dt.date | None = None
    until: dt.date | None = None
    partner: str | None = None
    environment: str | None = None
    verdict: str | None = None
    flow: str | None = None
    channel: str | None = None
    format: str | None = None
    rule: str | None = None
    exact: bool = False


class Range(NamedTuple):
    """Values of one column, from `low` up to, not including, `high`; no `high`: `low` itself."""

    column: str
    low: Any
    high: Any = None

    def indexed(self) -> sa.ColumnElement[bool]:
        """In the form an index serves, after the month."""
        return self._holds(searchable.c[self.column])

    def loose(self) -> sa.ColumnElement[bool]:
        """In the form no index serves."""
        nothing = -(10**18) if isinstance(self.low, int) else ""
        return self._holds(sa.func.coalesce(searchable.c[self.column], nothing))

    def _holds(self, column: Any) -> sa.ColumnElement[bool]:
        if self.high is None:
            return sa.and_(column == self.low)
        return sa.and_(column >= self.low, column < self.high)


class Of(NamedTuple):
    """Documents of these interchanges."""

    ids: tuple[str, ...]

    def indexed(self) -> sa.ColumnElement[bool]:
        """In the form an index serves; that of ids knows no months."""
        return searchable.c.interchange_id.in_(self.ids)

    def loose(self) -> sa.ColumnElement[bool]:
        """In the form no index serves."""
        return sa.func.coalesce(searchable.c.interchange_id, "").in_(self.ids)


class Rejected(NamedTuple):
    """Rejected documents; with `rule`, those that were rejected for it, perhaps among others."""

    rule: str | None

    def indexed(self) -> sa.ColumnElement[bool]:
        """In the form an index serves, after the time of receipt; that of rejections."""
        return sa.and_(REJECTED, *self._for_rule())

    def loose(self) -> sa.ColumnElement[bool]:
        """In the form no index serves."""
        verdict = sa.func.coalesce(searchable.c.verdict, "")
        return sa.and_(verdict == "rejected", *self._for_rule())

    def _for_rule(self) -> list[sa.ColumnElement[bool]]:
        if self.rule is None:
            return []
        return [searchable.c.rules.contains(f" {self.rule} ", autoescape=True)]


Alternative = Range | Of | Rejected
Clause = tuple[Alternative, ...]
"""At least one of these holds; none at all: nothing can."""


def clauses_of(conn: sa.Connection, wanted: Criteria) -> list[Clause]:
    """What of the criteria can be looked up, each on its own."""
    found: list[Clause] = []
    exact = wanted.exact
    if wanted.text and wanted.text.strip():
        found.append(_anything(conn, wanted.text, exact))
    for text, columns in (
        (wanted.number, ("number",)),
        (wanted.seller, ("seller_id", "seller_name")),
        (wanted.buyer, ("buyer_id", "buyer_name")),
        (wanted.file, ("file", "name")),
    ):
        if text and text.strip():
            found.append(tuple(_texts(text, columns, exact)))
    if wanted.message_id and wanted.message_id.strip():
        found.append(_messages(conn, wanted.message_id))
    if wanted.amount_from is not None or wanted.amount_to is not None:
        low, high = wanted.amount_from, wanted.amount_to
        found.append((Range("amount", _or(low, -(10**17)), _or(high, 10**17) + 1),))
    if wanted.issued_since is not None or wanted.issued_until is not None:
        first, last = wanted.issued_since, wanted.issued_until
        low_day = first.isoformat() if first else "0"
        found.append((Range("issued", low_day, f"{last.isoformat() if last else '9'}{ABOVE}"),))
    if wanted.rule is not None or wanted.verdict == "rejected":
        found.append((Rejected(wanted.rule),))
    return found


def filters_of(wanted: Criteria) -> list[sa.ColumnElement[bool]]:
    """What of the criteria is only compared: none of it narrows much."""
    return [
        sa.func.coalesce(searchable.c[name], "") == value
        for name in ("environment", "verdict", "flow", "channel", "format")
        if (value := getattr(wanted, name)) is not None and value != "rejected"
    ]


def bounds_of(wanted: Criteria) -> tuple[int | None, int | None]:
    """First microsecond of receipt that is meant, and the first one that is not any more."""
    following = None
    if wanted.until is not None and wanted.until < dt.date.max:  # a day that says: for ever
        following = wanted.until + dt.timedelta(days=1)
    return _midnight(wanted.since), _midnight(following)


def _midnight(day: dt.date | None) -> int | None:
    if day is None:
        return None
    return microseconds(dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC))


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _anything(conn: sa.Connection, text: str, exact: bool) -> Clause:
    found: list[Alternative] = [*_texts(text, (*_IDS, *_NAMES), exact)]
    amount, day = typed_amount(text), typed_day(text)
    if amount is not None and (len(text) < 9 or "," in text or "." in text):
        found.append(Range("amount", amount))
    if day is not None:
        found.append(Range("issued", day.isoformat()))
    folded = text.strip().lower()
    if _ID.fullmatch(folded):
        found.append(Range("interchange_id", folded, folded + ABOVE))
    found += _messages(conn, text)
    return tuple(found)


def _texts(text: str, columns: tuple[str, ...], exact: bool) -> list[Range]:
    found = []
    for column in columns:
        normalise = _IDS.get(column) or _NAMES[column]
        value = normalise(text)
        if value is not None:
            whole = exact or len(value) < BEGINNING
            found.append(Range(column, value, None if whole else value + ABOVE))
    return found


def _messages(conn: sa.Connection, text: str) -> Clause:
    found = interchanges_of_message(conn, text)
    return (Of(found),) if found else ()


def interchanges_of_message(conn: sa.Connection, text: str) -> tuple[str, ...]:
    """Those that an AS2 message, or a publication of ours, with this id belongs to."""
    bare = text.strip().removeprefix("<").removesuffix(">")
    known = [bare, f"<{bare}>"]
    ids = conn.execute(
        sa.union_all(
            sa.select(as2_messages.c.interchange_id).where(as2_messages.c.message_id.in_(known)),
            sa.select(outbox.c.interchange_id).where(outbox.c.message_id == bare.lower()),
        ).limit(MESSAGES)
    ).scalars()
    return tuple(dict.fromkeys(ids))
