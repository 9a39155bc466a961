"""How values are normalised: the same when they are written and when they are asked for."""

from __future__ import annotations

import datetime as dt

import pytest

from gateway.service.journal import search_words as words


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Société  Générale ", "societe generale"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("Łódź", "łodz"),  # a letter of its own, no accent
        ("ﬁn", "fin"),
        ("", None),
        ("\u0301 ", None),
        (None, None),
        ("x" * 999, "x" * 200),
    ],
)
def test_case_and_accents_do_not_count(written: str | None, folded: str | None) -> None:
    """Nor how much white space there is."""
    assert words.plain(written) == folded


def test_white_space_in_identifiers() -> None:
    """A SIREN is written in groups of three, or not."""
    assert words.compact("123 456\u00a0789") == words.compact("123456789") == "123456789"


@pytest.mark.parametrize(
    ("typed", "hundredths"),
    [
        ("1234.5", 123450),
        ("1 234,50", 123450),
        ("1\u202f234\u00a0567,5 €", 123456750),
        ("1.234,50", 123450),
        ("1,234.50", 123450),
        ("12", 1200),
        ("-3.1", -310),
        ("12,5", 1250),
        ("FA-12", None),
        ("1e9", None),
        ("9" * 40, None),
        ("", None),
    ],
)
def test_amounts_as_people_type_them(typed: str, hundredths: int | None) -> None:
    """With either decimal sign and any grouping."""
    assert words.typed_amount(typed) == hundredths


def test_amounts_of_documents() -> None:
    """As schemas have them; anything else is none, and more decimals are rounded."""
    assert words.hundredths("1234.505") == 123450
    assert words.hundredths(" 7 ") == 700
    assert words.hundredths("1,5") is None
    assert words.hundredths("NaN") is None
    assert words.hundredths(None) is None


@pytest.mark.parametrize("typed", ["2026-03-01", "20260301", "1/3/2026", "01.03.2026"])
def test_days_as_people_type_them(typed: str) -> None:
    """ISO, or day first."""
    assert words.typed_day(typed) == dt.date(2026, 3, 1)


@pytest.mark.parametrize("typed", ["2026-02-30", "31/2/2026", "hier", ""])
def test_no_day(typed: str) -> None:
    """What is in no calendar is none."""
    assert words.typed_day(typed) is None


def test_months_begin_where_they_do() -> None:
    """The number of a month and back, and microseconds to the last one."""
    at = dt.datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC)
    assert words.moment(words.microseconds(at)) == at
    assert words.month_begins(words.month_of(at)) == dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    assert words.month_begins(words.month_of(at) + 1) == dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
