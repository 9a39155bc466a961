"""What the service manager hears."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from gateway.service.sd_notify import Notifier


def test_ready_and_stopping_reach_the_socket_the_manager_named(tmp_path: Path) -> None:
    """READY carries the status line; STOPPING follows."""
    address = str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": address})
        notifier.ready("all well")
        notifier.stopping()
        notifier.alive()
        received = [manager.recv(1000) for _ in range(3)]
    assert received == [b"READY=1\nSTATUS=all well", b"STOPPING=1", b"WATCHDOG=1"]


def test_an_abstract_socket_is_understood() -> None:
    """Systemd may name a socket in the abstract namespace with a leading @."""
    name = f"edi-gateway-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name)
        manager.settimeout(5)
        Notifier({"NOTIFY_SOCKET": "@" + name}).status("busy")
        assert manager.recv(1000) == b"STATUS=busy"


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    """No socket, or one that is gone: the service goes on."""
    Notifier({}).ready("x")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("x")


def test_without_a_descriptor_left_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a moment there may be none; who calls it again and again must not end of that."""

    def none_left(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "n")})
    monkeypatch.setattr(socket, "socket", none_left)
    notifier.alive()
    notifier.status("busy")


def test_the_watchdog_interval_counts_only_for_the_process_it_names() -> None:
    """WATCHDOG_PID of somebody else is not our watchdog."""
    assert Notifier({"WATCHDOG_USEC": "30000000"}).watchdog_seconds == 30.0
    mine = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    assert Notifier(mine).watchdog_seconds == 30.0
    assert Notifier({**mine, "WATCHDOG_PID": "1"}).watchdog_seconds is None
    assert Notifier({}).watchdog_seconds is None
