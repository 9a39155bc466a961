"""How the partners share the batches of a destination, so that nobody waits behind a mountain.

    waiting     A: 40,000   B: 10   C: 2,000, none of which may be sent yet
    a batch     A A A A A A A A A A B B B B B …     as much for each as for any other,
                A A A A A                           and what is left for those who have more

Of each partner the oldest comes first. A batch begins with whoever comes next, by name, after the
last one the batch before had something of, so that all have their turn when there are more of them
than places.

Where many messages of a partner may not be sent, held say, or waiting for their results, a look
goes through some of them, and the next one goes on there; after the last it begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from gateway.service.journal.rows import OutboxRow


class Look(NamedTuple):
    """What was found, and the number of the message it ended at; None: that was the last one."""

    rows: list[OutboxRow]
    end: int | None


Find = Callable[[str, int, int], Look]
"""Of this partner what may be sent now, numbered above the first number, at most the second."""


class Turns:
    """Who comes next, and where each partner's messages go on.

    `unfinished`: of some partner not all was looked through for the last batch, though it found
    less than it had room for.
    """

    def __init__(self) -> None:
        self.unfinished = False
        self._last = ""
        self._more: dict[str, int] = {}
        """Partners of the last batch who may have more, and the last message it had of them."""
        self._after: dict[str, int] = {}
        """Where to go on: past what may not be sent, and past what could not be sent at all."""

    def batch(self, partners: Iterable[str], limit: int, find: Find) -> list[OutboxRow]:
        """At most `limit` messages of these, ordered by name, as they share them."""
        rows: list[OutboxRow] = []
        self._more = {}
        self.unfinished = False
        order = self._in_turn(partners)
        for place, partner in enumerate(order):
            share = -(-(limit - len(rows)) // (len(order) - place))
            if share == 0:
                break
            rows += self._take(partner, self._after.get(partner, 0), share, find)
        for partner, last in list(self._more.items()):
            if len(rows) == limit:
                break
            rows += self._take(partner, last, limit - len(rows), find)
        return sorted(rows, key=lambda row: row.id)

    def sent(self, partners: Collection[str]) -> None:
        """Of the last batch, something of these has arrived; of the others nothing."""
        self._after.update({name: id_ for name, id_ in self._more.items() if name not in partners})

    def _take(self, partner: str, after: int, most: int, find: Find) -> list[OutboxRow]:
        rows, end = find(partner, after, most)
        if rows:
            self._last = partner
        if len(rows) == most:
            self._more[partner] = rows[-1].id
            return rows
        self._more.pop(partner, None)
        if end is not None:
            self._after[partner] = end
            self.unfinished = True
        else:  # that was all: next time from its first message again
            self._after.pop(partner, None)
        return rows

    def _in_turn(self, partners: Iterable[str]) -> list[str]:
        names = list(partners)
        return [name for name in names if name > self._last] + [
            name for name in names if name <= self._last
        ]
