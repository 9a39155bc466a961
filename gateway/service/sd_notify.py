"""Tells systemd how the daemon fares (sd_notify(3)): ready, stopping, alive, in one word.

Without `NOTIFY_SOCKET` in the environment every call does nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Sends notifications to the socket the service manager named."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        microseconds = environment.get("WATCHDOG_USEC", "")
        pid = environment.get("WATCHDOG_PID", "")
        mine = not pid or pid == str(os.getpid())
        self.watchdog_seconds = (
            int(microseconds) / 1_000_000 if microseconds.isdigit() and mine else None
        )

    def ready(self, status: str) -> None:
        """Start-up is over; `status` is shown by `systemctl status`."""
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Shutdown began."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """The watchdog's sign of life."""
        self._send("WATCHDOG=1")

    def busy_starting(self, text: str, seconds: float) -> None:
        """Start-up takes longer than the unit says: wait so much longer, and show why."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}\nSTATUS={text}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={text}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.connect(address)
                sock.sendall(message.encode())
        except OSError:
            # A service manager that is gone, or no descriptor left for a moment, must not stop the
            # service, nor what tells of it again and again.
            return
