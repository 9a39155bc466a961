"""So many lines to the log in so much time, whoever makes noise; what is left out is counted."""

from __future__ import annotations

from collections.abc import Callable


class Sparing:
    """Says when a line may be written. `clock` only goes forward. For one thread."""

    def __init__(self, lines: int, seconds: float, clock: Callable[[], float]) -> None:
        self._most = lines
        self._seconds = seconds
        self._clock = clock
        self._since = -seconds
        self._written = 0
        self._left_out = 0

    def allows(self) -> dict[str, int] | None:
        """None: leave this line out. Else what to add to it: how many were before it."""
        now = self._clock()
        if now - self._since >= self._seconds:
            self._written, self._since = 0, now
        if self._written >= self._most:
            self._left_out += 1
            return None
        self._written += 1
        left_out, self._left_out = self._left_out, 0
        return {"lines_left_out": left_out} if left_out else {}
