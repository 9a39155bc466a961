"""However much one client asks for at once, only so much of it is with the daemon."""

from __future__ import annotations

from functools import partial

import paramiko
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.service.sftp_server.arrival import Upload
from tests.service.sftp_gateway import SftpGateway, until

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(120)]

FILES = 6


@ensureDeferred
async def test_closes_asked_for_all_at_once_reach_the_daemon_one_by_one(
    sftp_gateway: SftpGateway,
) -> None:
    """One of a session waits for its answer, the others are not read before.

    So what waits in the daemon is bounded by the sessions that partners may have.
    """
    waiting: list[tuple[Upload, defer.Deferred[None]]] = []

    async def slowly(upload: Upload) -> str:
        hold: defer.Deferred[None] = defer.Deferred()
        waiting.append((upload, hold))
        await hold
        return sftp_gateway.take(upload)

    sftp_gateway.answer = slowly

    def close_all(client: paramiko.SFTPClient) -> None:
        files = [client.open(f"in/{number}.xml", "wb") for number in range(FILES)]
        for file in files:
            file.write(b"<a/>")
        for file in files:
            file._close(async_=True)  # asks, and does not wait for the answer
        client.stat(".")  # is answered after them all

    client = defer.ensureDeferred(sftp_gateway.with_paramiko(close_all))
    for number in range(FILES):
        await until(partial(lambda most: len(waiting) > most, number))
        await task.deferLater(reactor, 0.3)
        assert len(waiting) == number + 1
        waiting[number][1].callback(None)
    await client
    assert sftp_gateway.names == [f"{number}.xml" for number in range(FILES)]


@ensureDeferred
async def test_a_packet_with_a_wrong_authentication_code_ends_the_connection(
    sftp_gateway: SftpGateway,
) -> None:
    """Somebody on the way changed it; what had come before is kept as a partial, not taken."""

    def upload(client: paramiko.SFTPClient) -> None:
        with client.open("in/whole.xml", "wb") as file:
            file.write(b"<a/>")
        changed = client.open("in/changed.xml", "wb")
        changed.write(b"<a/>")
        channel = client.get_channel()
        assert channel is not None
        packetizer = channel.get_transport().packetizer
        assert packetizer._Packetizer__mac_size_out
        packetizer._Packetizer__mac_key_out = b"x" * 32
        with pytest.raises((OSError, EOFError, paramiko.SSHException)):
            client.stat("in/changed.xml")

    await sftp_gateway.with_paramiko(upload)
    assert sftp_gateway.names == ["whole.xml"]
