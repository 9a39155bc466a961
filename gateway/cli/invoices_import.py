"""A table of invoices (CSV) → pages of keys for the daemon.

Read line by line, and twice: the first time only to find what cannot be used, so that a table with
a mistake in its last line has not been taken over by half. Any size takes the same memory.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TextIO

import msgspec

from gateway.core.uniqueness import InvoiceKey, seller_key
from gateway.errors import ConfigurationError
from gateway.service.control import MAX_LINE
from gateway.service.invoice_import import AT_ONCE, FIRST_YEAR, LAST_YEAR, MAX_NUMBER

SELLER, NUMBER = "seller", "number"
DATES: Final = ("issue_date", "year")
"""Either column says when; a date is read for its year."""
SHOWN: Final = 50
"""Bad rows that are kept to be shown; the others are counted."""

_ROOM: Final = MAX_LINE - 1024
_ISO: Final = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
_FRENCH: Final = re.compile(r"([0-9]{2})[/.]([0-9]{2})[/.]([0-9]{4})")
_YEAR: Final = re.compile(r"[0-9]{4}")


class BadRow(NamedTuple):
    """A row that cannot be used. `line`: where it ends in the file, 1-based."""

    line: int
    what: str


class Checked(NamedTuple):
    """What the first reading found. `bad` are the first `SHOWN` of `bad_rows`."""

    rows: int
    bad: tuple[BadRow, ...]
    bad_rows: int


def check_table(table: TextIO) -> Checked:
    """Read all of it. Raises ConfigurationError when this is no such table."""
    rows = bad_rows = 0
    bad: list[BadRow] = []
    for each in read_table(table):
        if isinstance(each, InvoiceKey):
            rows += 1
            continue
        bad_rows += 1
        if len(bad) < SHOWN:
            bad.append(each)
    return Checked(rows, tuple(bad), bad_rows)


def pages(table: TextIO) -> Iterator[list[InvoiceKey]]:
    """The usable rows, as many at a time as one command takes."""
    page: list[InvoiceKey] = []
    room = _ROOM
    for each in read_table(table):
        if isinstance(each, BadRow):
            continue
        size = len(msgspec.json.encode((each.seller, each.number, each.year))) + 1
        if page and (len(page) == AT_ONCE or size > room):
            yield page
            page, room = [], _ROOM
        page.append(each)
        room -= size
    if page:
        yield page


def read_table(table: TextIO) -> Iterator[InvoiceKey | BadRow]:
    """Every row, from the beginning; `table` is opened with newline="" and can be rewound."""
    try:
        table.seek(0)
        header = table.readline(100_000).removeprefix("\ufeff")
        # Spreadsheets set to French write semicolons.
        separator = ";" if header.count(";") > header.count(",") else ","
        names = [_column(name) for name in next(csv.reader([header], delimiter=separator), [])]
        dated = _check_columns(names)
        reader = csv.reader(table, delimiter=separator)
        for cells in reader:
            line = reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names):
                yield BadRow(line, f"it has {len(cells)} columns, the first line {len(names)}")
                continue
            row = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
            try:
                yield _key(row[SELLER], row[NUMBER], row[dated])
            except ValueError as error:
                yield BadRow(line, str(error))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(
            f"The table cannot be read: {error}.",
            remedy="Save it as CSV in UTF-8, with quotes around cells that hold a comma.",
        ) from error


def _column(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip()).lower()


def _check_columns(names: list[str]) -> str:
    """The column that says when."""
    dated = [name for name in DATES if name in names]
    missing = [name for name in (SELLER, NUMBER) if name not in names]
    if not dated:
        missing.append(" or ".join(DATES))
    twice = [name for name in (SELLER, NUMBER, *DATES) if names.count(name) > 1]
    if missing or twice:
        raise ConfigurationError(
            f"The first line of the table lacks the column {missing[0]}."
            if missing
            else f"The first line of the table has the column {twice[0]} twice.",
            remedy=f"Columns, in any order: {SELLER}, {NUMBER}, and {' or '.join(DATES)}.",
        )
    return dated[0]


def _key(seller: str, number: str, when: str) -> InvoiceKey:
    """What a row says. Raises ValueError, whose text says what is wrong with it."""
    key = seller_key(seller)
    if key is None:
        raise ValueError(f"the seller {seller[:50]!r} is no SIREN, SIRET or VAT identifier")
    if not number or len(number) > MAX_NUMBER or not number.isprintable():
        said = "is empty" if not number else f"{number[:50]!r} is none"
        raise ValueError(f"the invoice number {said}")
    return InvoiceKey(key, number, _year(when))


def _year(text: str) -> int:
    if _YEAR.fullmatch(text):
        year = int(text)
    elif match := _ISO.fullmatch(text):
        year = _real(*match.groups())
    elif match := _FRENCH.fullmatch(text):
        year = _real(*reversed(match.groups()))
    else:
        raise ValueError(
            f"{text[:50]!r} is no date: write 2025-03-31, 31/03/2025, or the year alone"
        )
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"the year {year} cannot be right")
    return year


def _real(year: str, month: str, day: str) -> int:
    try:
        return dt.date(int(year), int(month), int(day)).year
    except ValueError:
        raise ValueError(f"there is no day {year}-{month}-{day}") from None
