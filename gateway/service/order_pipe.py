"""A pipe to a child process that is written to at once, while it has room.

Twisted's own waits for the reactor to come round: for a word of a hundred bytes that is two system
calls more, and a whole turn of the reactor in which its sender waits.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import interfaces
from twisted.python.failure import Failure
from zope.interface import implementer  # type: ignore[import-untyped]  # it has no annotations


@implementer(interfaces.IWriteDescriptor)
class OrderPipe:
    """The writing end; `far_end` is for the child. What a gone child is told goes nowhere."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.far_end, self._descriptor = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._descriptor, False)
        self._waiting = bytearray()
        self._open = True

    def started(self) -> None:
        """The child has its end: let go of it here."""
        os.close(self.far_end)

    def write(self, data: bytes) -> None:
        """Send it, after what was sent before."""
        if not self._open:
            return
        if self._waiting:
            self._waiting += data
            return
        rest = self._put(data)
        if rest:
            self._waiting += rest
            self._reactor.addWriter(self)

    def close(self) -> None:
        """End it; what still waits is dropped."""
        if self._open:
            self._open = False
            if self._waiting:
                self._waiting.clear()
                self._reactor.removeWriter(self)
            os.close(self._descriptor)

    def _put(self, data: bytes | bytearray) -> bytes | bytearray:
        """What did not go in."""
        try:
            return data[os.write(self._descriptor, data) :]
        except BlockingIOError:
            return data
        except BrokenPipeError:
            return b""  # Its end is on the way to whoever started it.

    # ---- the reactor calls

    def fileno(self) -> int:
        """The descriptor, or -1 when it is closed."""
        return self._descriptor if self._open else -1

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """For Twisted's log."""
        return "orders"

    def doWrite(self) -> None:  # noqa: N802 - Twisted's name
        """There is room again."""
        rest = self._put(self._waiting)
        self._waiting = bytearray(rest)
        if not self._waiting:
            self._reactor.removeWriter(self)

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """The child closed its end."""
        self.close()
