"""A wire between the gateway and its broker that tests can cut, hold, or make deaf.

TCP only, threads, no knowledge of AMQP: what a network does to a connection. One wire carries any
number of connections; what is done to it is done to all of them.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

_CHUNK = 65536
_PATIENCE = 30.0
"""For the gateway to say something: it is busy all the time."""

_Pair = tuple[socket.socket, socket.socket]
"""The gateway's end, and the broker's."""


class Wire:
    """Listens on `port` of 127.0.0.1 and passes everything on to `target`, and back."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._changed = threading.Condition()
        self._held = False
        self._deaf = False
        self._left: int | None = None
        self._pairs: set[_Pair] = set()
        self._closed = False
        self._swallowed = 0
        self._cuts = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, name="wire", daemon=True).start()

    def close(self) -> None:
        """Cut everything, and take no more."""
        with self._changed:
            self._closed = True
        self.flow()
        # A thread that waits in accept() is woken by this, not by close() alone.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def flow(self) -> None:
        """Everything passes again, what was held first."""
        with self._changed:
            self._held = self._deaf = False
            self._left = None
            self._changed.notify_all()

    def hold(self) -> None:
        """Nothing the gateway says reaches the broker, until `flow`; nothing of it is lost."""
        with self._changed:
            self._held = True

    def cut(self) -> None:
        """End every connection, now."""
        with self._changed:
            pairs = list(self._pairs)
            self._cuts += len(pairs)
        for pair in pairs:
            _shut(*pair)

    def cut_within(self, size: int) -> bool:
        """End the connection that brings the gateway's next bytes, after so many of them.

        True once that happened; False if the gateway said too little for long.
        """
        with self._changed:
            before, self._left = self._cuts, size
            happened = self._changed.wait_for(lambda: self._cuts > before, _PATIENCE)
            self._left = None
            return happened

    def swallow(self, at_least: int) -> bool:
        """Let the broker's answers vanish, until so many bytes of them did; then cut.

        The gateway's own bytes pass meanwhile: the broker has the messages, and says so in vain.
        False if nothing was said for long.
        """
        with self._changed:
            self._swallowed, self._deaf = 0, True
            happened = self._changed.wait_for(lambda: self._swallowed >= at_least, _PATIENCE)
        self.cut()
        self.flow()
        return happened

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target), 10)
            except OSError:  # the broker is away, and the gateway finds that nobody answers
                near.close()
                continue
            far.settimeout(None)
            pair = near, far
            with self._changed:
                self._pairs.add(pair)
                closed = self._closed
            if closed:
                _shut(*pair)
            for source, sink, pump in ((near, far, self._there), (far, near, self._back)):
                threading.Thread(
                    target=self._pump, args=(pair, source, sink, pump), name="wire", daemon=True
                ).start()

    def _pump(
        self,
        pair: _Pair,
        source: socket.socket,
        sink: socket.socket,
        pass_on: Callable[[bytes], tuple[bytes, bool]],
    ) -> None:
        """Pass on what comes, until either side ends or the wire is cut; then end both."""
        with contextlib.suppress(OSError):
            cut = False
            while not cut and (came := source.recv(_CHUNK)):
                passed, cut = pass_on(came)
                sink.sendall(passed)
        with self._changed:
            first = pair in self._pairs
            self._pairs.discard(pair)
        _shut(*pair)
        if not first:  # both directions have ended: nobody uses the sockets any more
            for end in pair:
                end.close()

    def _there(self, came: bytes) -> tuple[bytes, bool]:
        """What of the gateway's bytes reaches the broker, and whether the wire is cut then."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held)
            if self._left is None:
                return came, False
            passed, self._left = came[: self._left], self._left - len(came)
            if self._left >= 0:
                return passed, False
            self._left = None
            self._cuts += 1
            self._changed.notify_all()
            return passed, True

    def _back(self, came: bytes) -> tuple[bytes, bool]:
        """What of the broker's bytes reaches the gateway."""
        with self._changed:
            if not self._deaf:
                return came, False
            self._swallowed += len(came)
            self._changed.notify_all()
            return b"", False


def _shut(*ends: socket.socket) -> None:
    """End a connection on both sides; whoever reads from it is woken."""
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
