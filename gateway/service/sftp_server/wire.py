"""The socket under paramiko's transport, with what paramiko leaves out.

paramiko reads a packet in three small `recv` calls and wakes ten times a second to see whether it
was closed; it believes any packet length up to 4 GB, and any amount of handshake. Here: one large
read serves many packets, closing wakes the reader at once, and both lengths are bounded.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from paramiko.ssh_exception import SSHException

MAX_RECV = 300_000
"""RFC 4253 §6.1 asks for 35,000 bytes; OpenSSH never sends more than 256 kB in a packet."""
MAX_BEFORE_LOGIN = 512 * 1024
"""Handshake and login of a client with many keys take about 20 kB."""
_READ_AHEAD = 1 << 17


class Wire:
    """Looks to paramiko like a socket. Only the thread that reads may close it for good."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._ahead = memoryview(b"")
        self._received = 0
        self._logged_in = False
        self._closed = False  # paramiko's Transport.stop_thread looks at this name.
        self.reader: threading.Thread | None = None
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A peer that vanished (no FIN, no RST) holds locks on the names it was uploading: find
        # out within about a minute, so that it can come back and resume.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        connection.settimeout(None)

    def logged_in(self) -> None:
        """From now on the peer may send as much as it likes."""
        self._logged_in = True

    def settimeout(self, seconds: float | None) -> None:
        """Ignored: paramiko sets 0.1 s to notice a close; here `close` wakes whoever waits."""

    def recv(self, count: int) -> bytes:
        """As `socket.recv`. Raises `SSHException` for a length no honest peer announces."""
        if count > MAX_RECV:
            raise SSHException(f"the peer announced a packet of {count} bytes")
        if not self._ahead:
            chunk = self._connection.recv(_READ_AHEAD)
            self._received += len(chunk)
            if not self._logged_in and self._received > MAX_BEFORE_LOGIN:
                raise SSHException(f"{self._received} bytes and no login")
            self._ahead = memoryview(chunk)
        taken, self._ahead = self._ahead[:count], self._ahead[count:]
        return bytes(taken)

    def send(self, content: bytes) -> int:
        """As `socket.send`."""
        return self._connection.send(content)

    def getpeername(self) -> object:
        """As `socket.getpeername`."""
        return self._connection.getpeername()

    def close(self) -> None:
        """Wake the reader with an end of file; free the descriptor if this is the reader.

        Freed by another thread, its number could be given to the next connection while the
        reader still waits on it.
        """
        self._closed = True
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        if self.reader is None or threading.current_thread() is self.reader:
            self._connection.close()
