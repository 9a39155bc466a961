"""Thousands of connections that say nothing, or stop half-way: partners get in all the same.

Whoever is not logged in holds a place for `sftp.login_timeout_seconds` at most, and one address at
most half of the places. Over HTTP a place is held for `http.idle_timeout_seconds`. So a partner
gets in at once beside a flood from one address, and within that time beside one from many, for as
long as it does not go on.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from gateway.service.sftp_server.process import MAX_NOT_LOGGED_IN
from tests.service.http_house import closing, http_house, until
from tests.service.sftp_gateway import SftpGateway

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]

SILENT, HALF_WAY = 2000, 500
ADDRESSES = 50
PLACE_SECONDS = 5
"""What the tests set both timeouts to."""
SLACK_SECONDS = 25.0
"""For a login on a machine that is busy with other things."""
MEMORY_MB = 150
DESCRIPTORS = 4 * MAX_NOT_LOGGED_IN

BANNER = b"SSH-2.0-Half\r\n"


@contextlib.contextmanager
def flood(port: int, words: Sequence[bytes], addresses: int) -> Iterator[list[socket.socket]]:
    """A connection for each of these words, said and left so, from so many addresses."""
    opened: list[socket.socket] = []
    try:
        for number, said in enumerate(words):
            here = (f"127.0.3.{1 + number % addresses}", 0)
            each = socket.create_connection(("127.0.0.1", port), 60, here)
            opened.append(each)
            with contextlib.suppress(OSError):  # turned away already
                each.send(said)
        yield opened
    finally:
        for each in opened:
            each.close()


async def gets_in(gateway: SftpGateway, seconds: float) -> float:
    """How long a partner tries until it has a session."""
    began = time.monotonic()
    while True:
        done = await gateway.sftp("ls")
        took = time.monotonic() - began
        if done.returncode == 0:
            return took
        assert took < seconds, f"not in after {took:.0f} s: {done.stderr}"


def processes() -> list[psutil.Process]:
    """The SFTP processes of this one."""
    return [
        each for each in psutil.Process().children() if "gateway.service.sftp_server"
        in each.cmdline()
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("addresses", "bound"), [(1, SLACK_SECONDS), (ADDRESSES, PLACE_SECONDS + SLACK_SECONDS)]
)
@ensureDeferred
async def test_a_partner_gets_in_beside_thousands_by_sftp(
    tmp_path: Path, addresses: int, bound: float
) -> None:
    """Silent ones, and handshakes that stop half-way; descriptors, threads, memory stay bounded."""
    gateway = SftpGateway(tmp_path, login_timeout_seconds=PLACE_SECONDS)
    await gateway.service.start()
    try:
        assert (await gateway.sftp("ls")).returncode == 0
        (process,) = processes()
        before = process.memory_info().rss
        words = [b""] * SILENT + [BANNER] * HALF_WAY

        with contextlib.ExitStack() as staying:
            await deferToThread(
                lambda: staying.enter_context(flood(gateway.service.port, words, addresses))
            )
            took = await gets_in(gateway, bound)
            assert process.num_fds() < DESCRIPTORS
            assert process.num_threads() < DESCRIPTORS
            assert process.memory_info().rss - before < MEMORY_MB * 1_000_000
        print(f"in after {took:.1f} s beside {len(words)} from {addresses} addresses")
        assert (await gateway.sftp("ls")).returncode == 0
    finally:
        await gateway.service.stop(2.0)


@ensureDeferred
async def test_a_partner_gets_in_beside_thousands_by_http(tmp_path: Path) -> None:
    """Heads that never end; a place is free when their time is over, and nothing is left."""
    async with http_house(tmp_path, idle_timeout_seconds=PLACE_SECONDS) as house:
        before = psutil.Process().num_fds()
        words = [b""] * SILENT + [b"POST /x HTT"] * HALF_WAY
        with contextlib.ExitStack() as staying:
            await deferToThread(lambda: staying.enter_context(flood(house.port, words, ADDRESSES)))
            began = time.monotonic()
            statuses: list[int] = []
            while statuses[-1:] != [200]:
                with contextlib.suppress(ConnectionError):  # of many at once some hear nothing
                    got = await house.ask(closing(body=b"x"))
                    statuses += [reply.status for reply in got]
                assert time.monotonic() - began < PLACE_SECONDS + SLACK_SECONDS, statuses
            assert house.server.connections <= 512
        assert set(statuses) <= {200, 503}
        await until(lambda: psutil.Process().num_fds() < before + 20)


@ensureDeferred
async def test_a_stalled_upload_is_ended_and_others_are_served(tmp_path: Path) -> None:
    """Half a file, then nothing: the session ends in its time, the half is kept and not taken."""
    gateway = SftpGateway(tmp_path, idle_timeout_seconds=2)
    await gateway.service.start()
    whole = tmp_path / "slow.xml"
    whole.write_bytes(b"<a>" + b"x" * 40_000 + b"</a>")

    def stall() -> float:
        with gateway.paramiko() as client:
            file = client.open_sftp().open("in/slow.xml", "wb")
            file.write(whole.read_bytes()[:20_000])
            file.flush()
            began = time.monotonic()
            transport = client.get_transport()
            assert transport is not None
            transport.join(60)
            assert not transport.is_active()
            return time.monotonic() - began

    try:
        stalling = deferToThread(stall)
        await until(lambda: gateway.partial_bytes > 0, 30.0)
        (tmp_path / "other.xml").write_bytes(b"<other/>")
        done = await gateway.sftp("put other.xml in/other.xml")
        assert done.returncode == 0, done.stderr
        assert 1 < await stalling < 30
        assert gateway.names == ["other.xml"]
        done = await gateway.sftp("reput slow.xml in/slow.xml")
        assert done.returncode == 0, done.stderr
        assert gateway.received == [("other.xml", b"<other/>"), ("slow.xml", whole.read_bytes())]
    finally:
        await gateway.service.stop(2.0)
