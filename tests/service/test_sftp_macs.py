"""Message authentication codes of SSH packets: the standard library's instead of paramiko's."""

from __future__ import annotations

import hashlib
import inspect

import paramiko.packet
import paramiko.util
import pytest

from gateway.service.sftp_server import macs

KEY, PACKET = b"k" * 32, bytes(range(256)) * 80


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let other tests have paramiko as it was."""
    for module, name, _ in macs.REPLACED:
        monkeypatch.setattr(module, name, getattr(module, name))


def test_paramiko_has_what_is_replaced() -> None:
    """Else a release of it has moved them, and nothing is gained any more."""
    wanted = [list(inspect.signature(better).parameters) for *_, better in macs.REPLACED]
    assert [
        len(inspect.signature(getattr(module, name)).parameters)
        for module, name, _ in macs.REPLACED
    ] == [len(each) for each in wanted]
    macs.computed_in_c()
    for module, name, better in macs.REPLACED:
        assert getattr(module, name) is better


@pytest.mark.parametrize("digest", [hashlib.sha256, hashlib.sha512])
def test_codes_are_the_same(digest: object) -> None:
    """With every digest we offer, for a small packet and a large one."""
    packets = (PACKET[:16], PACKET)
    theirs = [paramiko.packet.compute_hmac(KEY, each, digest) for each in packets]
    macs.computed_in_c()
    assert [paramiko.packet.compute_hmac(KEY, each, digest) for each in packets] == theirs
    assert theirs[0] != theirs[1]


@pytest.mark.parametrize(
    ("ours", "theirs", "equal"),
    [
        (b"\x00\xff" * 16, b"\x00\xff" * 16, True),
        (b"\x00\xff" * 16, b"\x00\xff" * 15 + b"\x00\xfe", False),
        (b"\x00\xff" * 16, b"\x01\xff" + b"\x00\xff" * 15, False),
        (b"\x00\xff" * 16, b"\x00\xff" * 15, False),
        (b"\x00", b"", False),
    ],
    ids=["equal", "last byte", "first byte", "shorter", "none"],
)
def test_comparing_them(ours: bytes, theirs: bytes, equal: bool) -> None:
    """A wrong code ends the connection."""
    assert paramiko.util.constant_time_bytes_eq(ours, theirs) is equal
    macs.computed_in_c()
    assert paramiko.util.constant_time_bytes_eq(ours, theirs) is equal


def test_a_release_without_them_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it has."""
    monkeypatch.delattr(paramiko.packet, "compute_hmac")
    macs.computed_in_c()
    assert not hasattr(paramiko.packet, "compute_hmac")
    assert paramiko.util.constant_time_bytes_eq is macs.REPLACED[1][2]
