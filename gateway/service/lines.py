"""One partner's interchanges in memory, and how far the journal was looked through for more."""

from __future__ import annotations

from collections import deque
from typing import Any


class Item:
    """One interchange in memory: waiting in its line, in work, or due later."""

    __slots__ = ("due", "first", "id", "line", "running", "timer")

    def __init__(self, id: str, line: Line) -> None:  # noqa: A002 - it is one
        self.id = id
        self.line = line
        self.running = False
        self.timer: Any = None
        """Set while it is due later."""
        self.due: float | None = None
        """In work, and wanted again at this instant of the reactor's clock."""
        self.first = False
        """In work, and first in line once that is over."""


class Line:
    """What is known of one partner's unfinished interchanges."""

    __slots__ = ("after", "behind", "known", "more", "partner", "reading", "running", "waiting")

    def __init__(self, partner: str) -> None:
        self.partner = partner
        self.waiting: deque[Item] = deque()
        self.running = 0
        self.known = 0
        """Waiting, in work, or due later."""
        self.more = False
        """The journal holds, or may hold, what is not in memory."""
        self.reading = False
        """The journal is being asked for more."""
        self.after = ""
        """Up to this id the journal was looked through; "" begins with the oldest."""
        self.behind = False
        """Something may have been passed by: look once more from the oldest on."""

    def leave_to_journal(self, interchange_id: str) -> None:
        """It is not taken into memory now; a later look into the journal must find it."""
        self.more = True
        if self.reading or interchange_id <= self.after:
            self.behind = True

    def passed(self, interchange_id: str) -> None:
        """It is in memory, or needs no work: the next look begins after it."""
        self.after = interchange_id

    def passed_all(self) -> None:
        """That was the newest there is. Go round once more if something was left on the way."""
        self.more, self.after, self.behind = self.behind, "", False
