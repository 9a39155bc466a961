"""Whose statuses are told next: partners take turns, and so do the interchanges of each.

    partner A   ▣▣▣▣▣▣▣▣…  ▢          a turn is one page of documents: A, B, C, A, B, A, …
    partner B   ▣▣                     within a partner, one page of each interchange
    partner C   ▢

The journal is the truth: this holds a few debts of each partner, and what of them was begun.
Nothing here waits, reads or writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final

from gateway.service.journal.given_records import Owed

PAGE: Final = 50
"""Documents whose messages are made, checked and written at once."""
LINE: Final = 20
"""Interchanges of one partner in memory."""
MOST_FAULTS: Final = 10
"""Faults of one interchange that are kept in words; the others are counted."""


class Debt:
    """The statuses of one interchange on their way, and how far they are.

    How many documents there are is learnt with the first page; until then there is no other.
    """

    __slots__ = ("_first", "_running", "_total", "count", "faults", "given_up", "owed")

    def __init__(self, owed: Owed) -> None:
        self.owed = owed
        self.faults: list[str] = []
        self.count = 0
        """Of all faults."""
        self.given_up = False
        """Nobody is to be told of it any more."""
        self._first = 0
        self._running = 0
        self._total: int | None = None

    @property
    def ready(self) -> bool:
        """Whether a page can be begun."""
        return not self._first if self._total is None else self._first < self._total

    @property
    def over(self) -> bool:
        """Whether nothing of it is to be begun, and nothing under way."""
        return not self.ready and not self._running

    def begin(self) -> int:
        """Begin the next page: of the documents after the one with this number."""
        first = self._first
        self._first += PAGE
        self._running += 1
        return first

    def ended(self, total: int) -> None:
        """A page was told of; there are so many documents in all."""
        self._running -= 1
        if self._total is None:
            self._total = total

    def broke_off(self, fault: str) -> None:
        """A page could not be seen through: no other is begun."""
        self._running -= 1
        self._total = 0
        self.failed([fault])

    def failed(self, faults: list[str]) -> None:
        """Some statuses were not sent."""
        self.count += len(faults)
        self.faults += faults[: MOST_FAULTS - len(self.faults)]


class Turns:
    """Debts in memory, by partner.

    Bounds: at most `LINE` debts of each partner are here. A partner with a page that can be begun
    waits for at most one page of each other partner; of its own, an interchange waits for at most
    one page of each other one that is here.
    """

    def __init__(self) -> None:
        self._lines: dict[str, deque[Debt]] = {}
        """The partner whose turn is next is the first."""
        self._more: set[str] = set()
        """Partners of which the journal may hold other debts that are due."""

    def __iter__(self) -> Iterator[Debt]:
        return iter([debt for line in self._lines.values() for debt in line])

    def __bool__(self) -> bool:
        return bool(self._lines)

    @property
    def thin(self) -> bool:
        """Whether the journal should be asked for more."""
        return any(self.room(partner) >= LINE / 2 for partner in self._more)

    def room(self, partner: str) -> int:
        """How many more of its debts there is room for."""
        return LINE - len(self._lines.get(partner, ()))

    def known(self, partner: str) -> list[str]:
        """Its interchanges that are here."""
        return [debt.owed.interchange_id for debt in self._lines.get(partner, ())]

    def fill(self, due: Mapping[str, list[Owed]]) -> None:
        """Take in what the journal gave, of each partner as much as there was room for."""
        self._more = {partner for partner in self._more if not self.room(partner)}
        for partner, several in due.items():
            if several and len(several) >= self.room(partner):
                self._more.add(partner)
            if several:
                line = self._lines.setdefault(partner, deque())
                line.extend(Debt(owed) for owed in several)

    def next(self) -> Debt | None:
        """The debt whose page is to be begun; its partner's turn, and its own, is then over."""
        for partner, line in self._lines.items():
            for _ in range(len(line)):
                debt = line[0]
                line.rotate(-1)
                if debt.ready:
                    self._lines[partner] = self._lines.pop(partner)
                    return debt
        return None

    def drop(self, debt: Debt) -> None:
        """It is over."""
        line = self._lines[debt.owed.partner]
        line.remove(debt)
        if not line:
            del self._lines[debt.owed.partner]
