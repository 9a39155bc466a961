"""Which status of an invoice normally comes after which, and what is out of order.

XP Z12-012 names the statuses and their phases, and makes four of them mandatory: 200, 210, 212 and
213. So any of the others may be missing between two that were told, and the first one that reaches
us may be any. What it gives no table of is the order itself; the one below is what the statuses
mean: transmission, then processing, then payment; nothing follows a refusal (210), a rejection
(213) or a cancellation (220). A payment may come in parts, so 211 and 212 follow each other.

A status out of order is recorded like any other. It is told apart because somebody should look.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec


class Order(StrEnum):
    """How a status stands to those told before."""

    NORMAL = "normal"
    LATE = "late"
    """It was given before one that is known already: it is past when it comes."""
    UNEXPECTED = "unexpected"
    """It does not follow the one before it."""


class Given(msgspec.Struct, frozen=True):
    """A status that an invoice was given, and when."""

    status: str
    at: dt.datetime | None


_TRANSMITTED: Final = "200 201 202 203"
_PROCESSED: Final = "204 206 207 208 209 214"
_PAID: Final = "211 212"

_AFTER: Final = {
    "200": "",
    "201": "200 221",
    "202": "200 201 221",
    "203": "200 201 202 221",
    "213": f"{_TRANSMITTED} 221",
    "221": "200 201",
    "204": f"{_TRANSMITTED} 208 209",
    "205": f"{_TRANSMITTED} {_PROCESSED}",
    "206": f"{_TRANSMITTED} {_PROCESSED}",
    "207": f"{_TRANSMITTED} {_PROCESSED} 205",
    "208": f"{_TRANSMITTED} {_PROCESSED}",
    "209": "208",
    "210": f"{_TRANSMITTED} {_PROCESSED}",
    "214": f"{_TRANSMITTED} {_PROCESSED} 205",
    "211": f"{_TRANSMITTED} {_PROCESSED} 205 {_PAID}",
    "212": f"{_TRANSMITTED} {_PROCESSED} 205 {_PAID}",
    "220": f"{_TRANSMITTED} {_PROCESSED} 205 221",
}
NEXT_TO: Final = {code: frozenset(before.split()) for code, before in _AFTER.items()}
"""Status → those it normally follows. The first one told of an invoice may be any."""

BESIDE: Final = frozenset({"224", "225", "226", "227"})
"""They say who is to be paid: they come at any time before an end, and change nothing else."""

ENDS: Final = frozenset({"210", "213", "220"})
"""Nothing follows them."""


def order_of(status: str, at: dt.datetime | None, before: Sequence[Given]) -> Order:
    """How a status given at `at` stands to those known `before`, in the order they came."""
    dated = [each for each in before if each.at is not None]
    if at is not None and any(each.at is not None and each.at > at for each in dated):
        return Order.LATE
    past = [each for each in before if each.status not in BESIDE]
    if not past:
        return Order.NORMAL
    # The newest; of several at one time, the last that came.
    last = max(
        enumerate(past), key=lambda each: (each[1].at is not None, each[1].at or _NEVER, each[0])
    )[1].status
    if status in BESIDE:
        return Order.UNEXPECTED if last in ENDS else Order.NORMAL
    return Order.NORMAL if last in NEXT_TO.get(status, ()) else Order.UNEXPECTED


_NEVER: Final = dt.datetime.min.replace(tzinfo=dt.UTC)
