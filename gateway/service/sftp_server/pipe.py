"""What a client sends, on its way from paramiko's thread to the session's.

Waking another thread for each request costs more than most requests do: sixty system calls for a
small file, counted. So whoever read a request answers it, where that asks for no wait: a whole one,
nothing before it unanswered, no other session on the connection, and room for the answer. Anything
else, and every close, goes to the session's thread, as paramiko means it; only that thread may wait
for a disk or for the daemon while the next thing the client says, or its end, is still heard.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import paramiko
from paramiko.buffered_pipe import BufferedPipe

from gateway.service.sftp_server.subsystem import Session

_ANSWER_BYTES = 4096
"""More than any answer that is given at once."""


# Generic in paramiko's stub alone: `BufferedPipe[bytes]` cannot be subscripted when it runs.
class Pipe(BufferedPipe):  # type: ignore[type-arg]
    """Stands in for a channel's own buffer. `alone`: no other session shares the connection."""

    def __init__(
        self, channel: paramiko.Channel, session: Session, *, alone: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._channel = channel
        self._session = session
        self._alone = alone
        self._answered = b""
        self._feeding: threading.Thread | None = None
        self._handed_over = 0
        """Bytes that were left to the session's thread, written by the thread that feeds."""
        self._taken = 0
        """How many of them it took, and how many it was done with; written by that thread."""
        self._done = 0

    @classmethod
    def put_into(
        cls, channel: paramiko.Channel, session: Session, *, alone: Callable[[], bool]
    ) -> None:
        """Take the place of the channel's buffer; what is in it already is kept."""
        before, pipe = channel.in_buffer, cls(channel, session, alone=alone)
        pipe._hand_over(before.empty())
        channel.in_buffer = pipe

    def feed(self, data: bytes) -> None:
        """Called by paramiko's thread with each message of the channel."""
        idle = self._done == self._handed_over
        if not (idle and self._alone() and self._may_send() and self._session.serve_at_once(data)):
            self._hand_over(data)
            return
        # Nothing is left to be read, but paramiko widens the client's window when it is.
        self._answered, self._feeding = data, threading.current_thread()
        self._channel.recv(len(data))

    def read(self, nbytes: int, timeout: float | None = None) -> bytes:
        """Called by `Channel.recv`."""
        if self._answered and threading.current_thread() is self._feeding:
            answered, self._answered = self._answered, b""
            return answered
        self._done = self._taken  # who asks for more has answered what it was given
        data = bytes(super().read(nbytes, timeout))
        self._taken += len(data)
        return data

    def _hand_over(self, data: bytes) -> None:
        self._handed_over += len(data)
        super().feed(data)

    def _may_send(self) -> bool:
        """Whether sending would not wait for what only this thread can read."""
        transport = self._channel.transport
        return (
            transport is not None
            and transport.clear_to_send.is_set()
            and self._channel.out_window_size >= _ANSWER_BYTES
        )
