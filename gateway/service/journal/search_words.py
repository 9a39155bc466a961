"""How values are normalised for searching, the same when they are written and when asked for.

Case and accents do not count ("Société" is found by "societe"), nor does how much white space
there is; inside identifiers and numbers no white space counts at all, for people write a SIREN in
groups of three. Amounts are hundredths, dates ISO 8601.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Final

LONGEST: Final = 200
"""Characters that are compared: nobody types more of a name."""
ABOVE: Final = "\U0010ffff"
"""Comes after everything that begins alike."""

_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:[ \u00a0\u202f',.][0-9]{3})+(?=[.,][0-9]{1,2}$|$)")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_FRENCH_DAY: Final = re.compile(r"([0-9]{1,2})[/.]([0-9]{1,2})[/.]([0-9]{4})")
_MOST: Final = 10**17
"""Hundredths that fit the column with room to spare."""


def plain(text: str | None) -> str | None:
    """Folded, without accents, single spaces; None for what is empty then."""
    if not text:
        return None
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(text.casefold().split())[:LONGEST] or None


def compact(text: str | None) -> str | None:
    """Like `plain`, without white space: for identifiers and numbers."""
    folded = plain(text)
    return folded.replace(" ", "") if folded else None


def hundredths(text: str | None) -> int | None:
    """An amount as documents write it, in hundredths; None for what is none, or no sane one."""
    if text is None or not _NUMBER.fullmatch(text.strip()):
        return None
    try:
        value = int((Decimal(text.strip()) * 100).to_integral_value())
    except InvalidOperation:
        return None
    return value if abs(value) < _MOST else None


def typed_amount(text: str) -> int | None:
    """An amount as people type it: 1234.5, 1 234,50, 1.234,50, 1,234.50; in hundredths."""
    stripped = text.strip().removesuffix("€").removeprefix("€").strip()
    grouped = _GROUPED.match(stripped)
    if grouped:
        whole = re.sub(r"[^0-9]", "", grouped[0])
        stripped = whole + stripped[grouped.end() :]
    return hundredths(stripped.replace(",", "."))


def typed_day(text: str) -> dt.date | None:
    """A day as people type it: 2026-03-01, 20260301, 1/3/2026 or 01.03.2026."""
    try:
        french = _FRENCH_DAY.fullmatch(text.strip())
        if french:
            day, month, year = (int(each) for each in french.groups())
            return dt.date(year, month, day)
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        return None


def microseconds(at: dt.datetime) -> int:
    """A point in time as the column `received` has it."""
    return int((at - _EPOCH) / dt.timedelta(microseconds=1))


def moment(received: int) -> dt.datetime:
    """The other way."""
    return _EPOCH + dt.timedelta(microseconds=received)


def month_of(at: dt.date) -> int:
    """Months since the year 0: the column `month`."""
    return at.year * 12 + at.month - 1


def month_begins(month: int) -> dt.datetime:
    """The first moment of a month, in UTC."""
    return dt.datetime(month // 12, month % 12 + 1, 1, tzinfo=dt.UTC)


_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
