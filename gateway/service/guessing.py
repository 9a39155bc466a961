"""Slows down whoever guesses passwords or tokens, and locks out nobody who has the right one.

Two things are remembered, both of bounded size. Of an *address*: its failures of late. After some
it is not listened to for a while, longer with each further failure, except with what was right
from there before: partners behind one proxy do not suffer for each other. Of a *login*: its
failures from wherever. After some, each attempt waits a moment before it is looked at, and then it
is: so whoever attacks a login from many addresses makes its owner wait, and no more.

Public keys cannot be guessed, so none of this concerns them.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, Final, TypeVar

from gateway.service.sparing import Sparing

TOLERATED: Final = 5
"""So many failures of one address are answered at once; each further one makes it wait longer."""
FIRST_WAIT_SECONDS, LAST_WAIT_SECONDS = 2.0, 300.0
LOGIN_TOLERATED: Final = 10
FIRST_DELAY_SECONDS, LAST_DELAY_SECONDS = 0.5, 8.0
FORGOTTEN_SECONDS = 900.0
REMEMBERED = 10_000
"""Of more addresses (and of more logins) than these, those heard of longest ago are forgotten."""
PROOFS_REMEMBERED = 1_000
"""Of one address."""
LINES, LINES_SECONDS = 60, 60.0
"""So many lines go to the log in so many seconds; the next one says how many were left out."""

_V = TypeVar("_V")


class _Failures:
    """Failures in a row, and when the last one was."""

    __slots__ = ("last", "number")

    def __init__(self) -> None:
        self.number = 0
        self.last = 0.0

    def add(self, now: float) -> int:
        if now - self.last > FORGOTTEN_SECONDS:
            self.number = 0
        self.last = now
        self.number += 1
        return self.number


class _Address:
    """What is remembered of one address; `proven`: what was right from there."""

    __slots__ = ("failures", "proven", "until")

    def __init__(self) -> None:
        self.failures = _Failures()
        self.until = 0.0
        self.proven: OrderedDict[bytes, None] = OrderedDict()


class Guesses:
    """The guesses of one channel; its name begins its lines in the log.

    `seconds` is a clock that only goes forward. A *proof* stands for exactly what was shown (a
    token, or a login and its password); it is compared with what was right before, never kept
    when it was wrong. `outcomes` counts what was failed, and what was put off unseen.
    """

    def __init__(self, channel: str, *, seconds: Callable[[], float], log: Any) -> None:
        self.outcomes = Counter[str]()
        self._channel = channel
        self._seconds = seconds
        self._log = log
        self._addresses: OrderedDict[str, _Address] = OrderedDict()
        self._logins: OrderedDict[str, _Failures] = OrderedDict()
        self._sparing = Sparing(LINES, LINES_SECONDS, seconds)

    def put_off(self, address: str, proof: bytes) -> float:
        """For how many seconds this is not looked at; 0: it may be."""
        known = self._addresses.get(place_of(address))
        wait = known.until - self._seconds() if known is not None else 0.0
        if known is None or wait <= 0 or proof in known.proven:
            return 0.0
        self.outcomes["put-off"] += 1
        return wait

    def delay(self, address: str, login: str, proof: bytes) -> float:
        """How many seconds an attempt at this login waits before it is looked at."""
        failures = self._logins.get(login)
        if failures is None or self._seconds() - failures.last > FORGOTTEN_SECONDS:
            return 0.0
        known = self._addresses.get(place_of(address))
        over = failures.number - LOGIN_TOLERATED
        if over < 0 or (known is not None and proof in known.proven):
            return 0.0
        return _growing(FIRST_DELAY_SECONDS, LAST_DELAY_SECONDS, over)

    def failed(self, address: str, login: str = "", **fields: Any) -> None:
        """It was wrong. `fields` go to the log; never what was shown."""
        now = self._seconds()
        self.outcomes["failed"] += 1
        known = self._remember(address)
        number = known.failures.add(now)
        wait = 0.0
        if number >= TOLERATED:
            wait = _growing(FIRST_WAIT_SECONDS, LAST_WAIT_SECONDS, number - TOLERATED)
            known.until = now + wait
        if login:
            _recent(self._logins, login, _Failures).add(now)
        if number == 1 or wait:  # not those in between: one line for a burst
            who = {"username": login[:64]} if login else {}
            self._say(peer=address, **who, failures=number, wait_seconds=wait, **fields)

    def right(self, address: str, proof: bytes) -> None:
        """It was right, so from this address it is looked at whatever others do."""
        proven = self._remember(address).proven
        proven[proof] = None
        proven.move_to_end(proof)
        if len(proven) > PROOFS_REMEMBERED:
            proven.popitem(last=False)

    @property
    def remembered(self) -> int:
        """How many addresses and logins are."""
        return len(self._addresses) + len(self._logins)

    def _remember(self, address: str) -> _Address:
        return _recent(self._addresses, place_of(address), _Address)

    def _say(self, **fields: Any) -> None:
        left_out = self._sparing.allows()
        if left_out is not None:
            self._log.warning(f"{self._channel}_login_failed", **fields, **left_out)


def place_of(address: str) -> str:
    """What counts as one address: of IPv6 a /64, for that is what one customer has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _recent(table: OrderedDict[str, _V], key: str, new: Callable[[], _V]) -> _V:
    """The entry of `key`, as the youngest; the oldest goes when there are too many."""
    entry = table.pop(key, None)
    table[key] = entry = new() if entry is None else entry
    if len(table) > REMEMBERED:
        table.popitem(last=False)
    return entry


def _growing(first: float, last: float, times: int) -> float:
    return min(last, first * 2.0 ** min(times, 20))
