"""A partner's server that has only outdated SSH algorithms is not spoken with."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.service.sftp_client.connection import Connection
from gateway.service.sftp_client.errors import RemoteAway
from tests.service.sftp_visits import QUICK
from tests.service.sshd import Sshd, needs_sshd

pytestmark = [pytest.mark.ssh, needs_sshd]

WEAK = {
    "key exchange, group 1": "KexAlgorithms diffie-hellman-group1-sha1",
    "key exchange, SHA-1": "KexAlgorithms diffie-hellman-group14-sha1",
    "key exchange, own groups": "KexAlgorithms diffie-hellman-group-exchange-sha1",
    "triple DES": "Ciphers 3des-cbc",
    "CBC": "Ciphers aes256-cbc,aes128-cbc",
    "MAC by SHA-1": "Ciphers aes128-ctr\nMACs hmac-sha1",
    "MAC by SHA-1, encrypted first": "Ciphers aes128-ctr\nMACs hmac-sha1-etm@openssh.com",
    "MAC by MD5": "Ciphers aes128-ctr\nMACs hmac-md5,hmac-md5-96",
}


def opened(folder: Path, *more: str) -> bool:
    """Whether the client's session opens on a server with these settings."""
    sshd = Sshd(folder)
    with (folder / "sshd_config").open("a") as config:
        config.writelines(f"{each}\n" for each in more)
    sshd.start()
    connection = Connection(sshd.remote(), QUICK)
    try:
        connection.open()
        return connection.alive
    finally:
        connection.cut()
        sshd.stop()


@pytest.mark.parametrize("what", WEAK)
def test_only_outdated_algorithms_are_no_connection(tmp_path: Path, what: str) -> None:
    """It fails before the login: neither key nor password is shown."""
    with pytest.raises(RemoteAway, match="failed"):
        opened(tmp_path, WEAK[what])
    assert "Accepted" not in (tmp_path / "sshd.log").read_text()
    assert "no matching" in (tmp_path / "sshd.log").read_text()


def test_a_server_of_today_is_spoken_with(tmp_path: Path) -> None:
    """Else the others would prove nothing."""
    assert opened(tmp_path)
