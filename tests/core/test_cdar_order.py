"""Which status normally comes after which: one table, looked at from every side."""

from __future__ import annotations

import datetime as dt

import pytest

from gateway.core.cdar.order import BESIDE, ENDS, NEXT_TO, Given, Order, order_of
from gateway.core.cdar.statuses import STATUSES

DAY = dt.timedelta(days=1)
FIRST = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


def told(*codes: str) -> list[Order]:
    """How each of these statuses stands, told on one day after the other."""
    before: list[Given] = []
    orders = []
    for number, code in enumerate(codes):
        at = FIRST + number * DAY
        orders.append(order_of(code, at, before))
        before.append(Given(code, at))
    return orders


def test_the_table_knows_every_status_of_an_invoice() -> None:
    """Nothing is missing and nothing is made up; ends are followed by nothing."""
    of_invoices = {code for code, status in STATUSES.items() if not status.of_flux}
    assert of_invoices == NEXT_TO.keys() | BESIDE
    assert not NEXT_TO.keys() & BESIDE
    for before in NEXT_TO.values():
        assert before <= NEXT_TO.keys() - ENDS


@pytest.mark.parametrize(
    "codes",
    [
        "200 201 202 203 204 205 211 212",
        "200 212",
        "200 202 203 207 205 212 212",
        "203 204 208 209 205 211 211 212",
        "200 213",
        "202 210",
        "200 221 201 202",
        "205 225 227 212",
        "200 204 206 212",
        "204 220",
    ],
)
def test_normal_lives_of_an_invoice(codes: str) -> None:
    """Whatever is not mandatory may be missing; payments may come in parts."""
    assert set(told(*codes.split())) == {Order.NORMAL}


@pytest.mark.parametrize(
    "codes",
    ["212 205", "210 212", "213 200", "205 204", "204 209", "220 205", "205 210", "210 225"],
)
def test_what_does_not_follow(codes: str) -> None:
    """The second of the two is out of order, and only that one."""
    assert told(*codes.split()) == [Order.NORMAL, Order.UNEXPECTED]


def test_a_status_given_before_one_that_is_known_is_late() -> None:
    """By the time it was given, not by that of its arrival; the same time is not late."""
    known = [Given("212", FIRST + DAY)]
    assert order_of("205", FIRST, known) is Order.LATE
    assert order_of("205", FIRST + DAY, known) is Order.UNEXPECTED
    assert order_of("212", FIRST + DAY, known) is Order.NORMAL


def test_what_came_late_is_not_what_comes_next() -> None:
    """After 212, and a late 205, a further payment is normal."""
    known = [Given("212", FIRST + DAY), Given("205", FIRST)]
    assert order_of("212", FIRST + 2 * DAY, known) is Order.NORMAL


def test_a_code_that_nobody_knows_is_unexpected_after_another() -> None:
    """Rules only warn of it: it must not pass for normal."""
    assert told("200", "999") == [Order.NORMAL, Order.UNEXPECTED]


def test_without_a_time_only_the_order_of_arrival_counts() -> None:
    """A message need not say when."""
    assert order_of("205", None, [Given("204", None)]) is Order.NORMAL
    assert order_of("204", None, [Given("205", FIRST)]) is Order.UNEXPECTED
