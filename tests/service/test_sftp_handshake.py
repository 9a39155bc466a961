"""The end of paramiko's handshake: its timer goes with the login, and never ends a session."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from paramiko.packet import Packetizer

from gateway.service.sftp_server.ssh import handshake_is_over

SECONDS = 0.05


@pytest.fixture
def packetizer() -> Iterator[Packetizer]:
    """With a handshake under way that may take no longer than that."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        packetizer = Packetizer(ours)
        packetizer.start_handshake(SECONDS)
        yield packetizer


def test_one_that_takes_too_long(packetizer: Packetizer) -> None:
    """What the timer is for; a release of paramiko without it would need another look."""
    time.sleep(4 * SECONDS)
    assert packetizer.handshake_timed_out()


def test_one_that_is_over(packetizer: Packetizer) -> None:
    """No session ends by it any more, and nothing is left to be done for each packet."""
    handshake_is_over(packetizer)
    time.sleep(4 * SECONDS)
    packetizer.complete_handshake()
    assert not packetizer.handshake_timed_out()
    assert "complete_handshake" in vars(packetizer)


def test_a_release_without_it() -> None:
    """Goes on with what it has."""
    handshake_is_over(object())
