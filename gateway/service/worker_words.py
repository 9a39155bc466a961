"""What a worker process says on standard error: for the log, and as its last words in an error."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

LINE_BYTES: Final = 8192
"""A longer line is logged in pieces."""

LAST_LINES: Final = 5
"""So many lines are repeated in the error when a process dies."""


class StandardError:
    """Cuts what arrives into lines and gives each to `say`; remembers the latest."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._rest = b""
        self._latest: deque[str] = deque(maxlen=LAST_LINES)

    def feed(self, data: bytes) -> None:
        """Say every line that `data` completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        while len(self._rest) >= LINE_BYTES:
            self._line(self._rest[:LINE_BYTES])
            self._rest = self._rest[LINE_BYTES:]

    def end(self) -> None:
        """Nothing more will come: say the line without end, if there is one."""
        rest, self._rest = self._rest, b""
        self._line(rest)

    def forget(self) -> None:
        """What was said so far has nothing to do with the job that begins."""
        self._latest.clear()

    def last_words(self) -> str:
        """The latest lines as the end of a sentence; nothing when there are none."""
        return f"; its last words: {' / '.join(self._latest)}" if self._latest else ""

    def _line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            self._latest.append(text)
            self._say(text)
