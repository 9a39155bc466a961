"""How far a long command is, on a terminal: one line that is written over again and again."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_EVERY_SECONDS = 0.2


class Progress:
    """Call it with what is being done, how far, and of how much (0: nobody knows).

    Where standard error is no terminal it says nothing.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        given = sys.stderr if stream is None else stream
        self._stream: TextIO = getattr(given, "plain", given)
        self._shown = self._stream.isatty()
        self._next = 0.0
        self._length = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Say so, if the last time is long enough ago."""
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._next = now + _EVERY_SECONDS
        of = f" of {total:,} ({done * 100 // total} %)" if total else ""
        self._write(f"{what}: {done:,}{of}")

    def end(self) -> None:
        """Leave the line empty for what comes next."""
        if self._shown and self._length:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()

    def _write(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(self._length))
        self._stream.flush()
        self._length = len(line)
