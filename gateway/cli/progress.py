"""How far a long command is, on a terminal: one line that is written over again and again."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_EVERY_SECONDS = 0.2
_WIDTH = 20
"""Letters of a bar."""
_SAID_AFTER_SECONDS = 3.0
"""Sooner nobody knows how long the rest will take."""


def beside_output() -> Progress:
    """For a command that prints as it goes: shown where its output goes elsewhere, as to a file."""
    return Progress(shown=not sys.stdout.isatty())


class Progress:
    """Call it with what is being done, how far, and of how much (0: nobody knows).

    With a total there is a bar, the share, and after a while about how long the rest will take.
    Where standard error is no terminal it says nothing; nor with `shown` off.
    """

    def __init__(self, stream: TextIO | None = None, *, shown: bool = True) -> None:
        given = sys.stderr if stream is None else stream
        self._stream: TextIO = getattr(given, "plain", given)
        self._shown = shown and self._stream.isatty()
        self._next = 0.0
        self._length = 0
        self._what = ""
        self._began = 0.0
        unicode = (getattr(self._stream, "encoding", None) or "").lower().startswith("utf")
        self._full, self._empty = "█░" if unicode else "#."

    def __call__(self, what: str, done: int, total: int) -> None:
        """Say so, if the last time is long enough ago."""
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._next = now + _EVERY_SECONDS
        if what != self._what:
            self._what, self._began = what, now
        if not total:
            self._write(f"{what}: {done:,}")
            return
        share = min(1.0, done / total)
        line = f"{what}: {done:,} of {total:,} {self._bar(share)} {share:4.0%}"
        self._write(f"{line}  {_left(now - self._began, share)}".rstrip())

    def end(self) -> None:
        """Leave the line empty for what comes next."""
        if self._shown and self._length:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()
            self._length = 0

    def _bar(self, share: float) -> str:
        full = round(share * _WIDTH)
        return self._full * full + self._empty * (_WIDTH - full)

    def _write(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(self._length))
        self._stream.flush()
        self._length = len(line)


def _left(seconds: float, share: float) -> str:
    """About how long the rest takes, going by the part that is done; "" while that says little."""
    if seconds < _SAID_AFTER_SECONDS or not 0.01 <= share < 1.0:
        return ""
    left = round(seconds * (1.0 - share) / share)
    minutes, rest = divmod(left, 60)
    return f"{minutes} min {rest:02} s left" if minutes else f"{rest} s left"
