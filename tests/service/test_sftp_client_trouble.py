"""Servers that are not who they say, do not let us in, hang, or go away; and stopping meanwhile."""

from __future__ import annotations

import logging
import logging.handlers
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.model.partner import SftpRemote
from gateway.service.sftp_client import errors
from gateway.service.sftp_server import Upload, place_in_out
from tests.service.sftp_gateway import PARTNER, PASSWORD, SftpGateway, content, until
from tests.service.sftp_visits import QUICK, Visits, report
from tests.service.sshd import Sshd, needs_sshd

pytestmark = pytest.mark.ssh


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path)
    server.start()
    yield server
    server.stop()


@async_yield_fixture
async def running() -> AsyncIterator[list[Visits]]:
    """Whatever is put in here is stopped after the test."""
    started: list[Visits] = []
    yield started
    for each in started:
        await each.stop()
        assert each.left_over() == []


@pytest.fixture
def quick_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in (errors.RemoteAway, errors.HostKeyRefused, errors.LoginRefused):
        monkeypatch.setattr(each, "first_pause_seconds", 0.2)


async def seconds(count: float) -> None:
    """Let time pass."""
    await task.deferLater(reactor, count)


@needs_sshd
@ensureDeferred
async def test_another_host_key_is_refused(
    sshd: Sshd, tmp_path: Path, running: list[Visits]
) -> None:
    """No login is tried; one line names both fingerprints and what to do."""
    sshd.put("a.xml", b"x")
    visits = Visits(tmp_path, acme=sshd.remote(host_key=sshd.other_host_key))
    running.append(visits)
    visits.start()
    await until(lambda: bool(visits.log.of("sftp_remote_away")))
    await seconds(1.5)
    (told,) = visits.log.of("sftp_remote_away")
    assert told["partner"] == "acme"
    assert told["error"].count("SHA256:") == 2
    assert "host_key" in told["error"]
    assert sshd.names() == ["a.xml"]
    assert "userauth" not in sshd.log_file.read_text()
    assert sshd.connections() == 0


@needs_sshd
@ensureDeferred
async def test_a_refused_login_is_told_once_and_tried_less_and_less(
    sshd: Sshd, tmp_path: Path, running: list[Visits], quick_back_off: None
) -> None:
    """0.2 s, 0.4 s, 0.8 s …: in three seconds that makes a handful; the key itself is not told."""
    remote = sshd.remote(key_file=str(sshd.stranger_key))
    visits = Visits(tmp_path, acme=remote)
    running.append(visits)
    visits.start()
    await until(lambda: bool(visits.log.of("sftp_remote_away")))
    await seconds(3.0)
    (told,) = visits.log.of("sftp_remote_away")
    assert "our public key SHA256:" in told["error"]
    assert "PRIVATE" not in str(visits.log.events)
    attempts = sshd.log_file.read_text().count("Connection from")
    assert 3 <= attempts - 1 <= 6  # the first one was the fixture's


@ensureDeferred
async def test_a_password_is_used_and_never_told(tmp_path: Path, running: list[Visits]) -> None:
    """With our own server as the partner's: wrong, told without it; right, files come."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    gateway = SftpGateway(theirs)
    await gateway.service.start()
    try:
        secret = tmp_path / "password"
        secret.write_text("wrong horse\n")
        host_key = (gateway.state / "keys" / "ssh_host_ed25519_key.pub").read_text()
        remote = SftpRemote(
            host="127.0.0.1",
            port=gateway.service.port,
            username=PARTNER,
            host_key=host_key,
            password_file=str(secret),
            fetch_from="out",
            push_to="/in",
            stable_seconds=0.1,
            poll_seconds=1.0,
        )
        place_in_out(gateway.state, PARTNER, "a.xml", b"<a/>")
        visits = Visits(tmp_path, acme=remote)
        running.append(visits)
        visits.start()
        await until(lambda: bool(visits.log.of("sftp_remote_away")))
        assert "wrong horse" not in str(visits.log.events)
        await visits.stop()
        secret.write_text(PASSWORD + "\n")
        visits.start()
        await until(lambda: visits.received == [("a.xml", b"<a/>")])
        await visits.clients.deliver(report(body=b"<report/>"))
        assert gateway.received == [("report-1.xml", b"<report/>")]
        await until(lambda: list((gateway.state / "sftp" / PARTNER / "out").iterdir()) == [])
    finally:
        await visits.stop()
        await gateway.service.stop(2.0)


@needs_sshd
@ensureDeferred
async def test_a_server_that_stands_still_mid_file_is_left_after_its_time(
    sshd: Sshd, tmp_path: Path, running: list[Visits], quick_back_off: None
) -> None:
    """One line at the onset, one when it is back; the file comes then, whole and once."""
    body = content(60_000_000)
    sshd.put("big.xml", body)
    visits = Visits(tmp_path, acme=sshd.remote())
    running.append(visits)
    visits.start()
    await until(lambda: any(each.stat().st_size > 1_000_000 for each in visits.left_over()))
    sshd.freeze()
    begun = time.monotonic()
    await until(lambda: bool(visits.log.of("sftp_remote_away")))
    assert time.monotonic() - begun < QUICK.answer + 2.0
    assert "in time" in visits.log.of("sftp_remote_away")[0]["error"]
    assert visits.left_over() == []
    sshd.thaw()
    await until(lambda: sshd.names() == [])
    assert visits.received == [("big.xml", body)]
    assert [each["event"] for each in visits.log.events] == ["sftp_remote_away", "sftp_remote_back"]
    assert visits.recoveries == 1


class Silent:
    """Takes connections and never says a word."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def close(self) -> None:
        """Take no more."""
        self._listener.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.close()


@ensureDeferred
async def test_a_server_that_is_no_ssh_is_told_in_one_line(
    tmp_path: Path, running: list[Visits], quick_back_off: None
) -> None:
    """However often it is tried; paramiko's tracebacks stay out of the log."""
    # Not caplog: it also listens to loggers that nobody else hears.
    library = logging.handlers.BufferingHandler(1000)
    logging.getLogger().addHandler(library)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak_http() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=speak_http, daemon=True).start()
        remote = Sshd(tmp_path).remote(port=listener.getsockname()[1])
        visits = Visits(tmp_path, acme=remote)
        running.append(visits)
        visits.start()
        await until(lambda: bool(visits.log.of("sftp_remote_away")))
        await seconds(1.0)
        await visits.stop()
        listener.shutdown(socket.SHUT_RDWR)
    (told,) = visits.log.events
    assert "The SSH connection to 127.0.0.1" in told["error"]
    logging.getLogger().removeHandler(library)
    assert library.buffer == []


@needs_sshd
@ensureDeferred
async def test_a_partner_that_hangs_holds_back_no_other(
    sshd: Sshd, silent: Silent, tmp_path: Path, running: list[Visits]
) -> None:
    """While ten connections wait for a first word, another partner's files come."""
    hanging: dict[str, Any] = {f"hangs-{i}": sshd.remote(port=silent.port) for i in range(10)}
    visits = Visits(tmp_path, **hanging, acme=sshd.remote())
    running.append(visits)
    visits.start()
    await seconds(1.2)
    for number in range(20):
        sshd.put(f"{number}.xml", b"x")
    begun = time.monotonic()
    await until(lambda: sshd.names() == [])
    assert time.monotonic() - begun < QUICK.login
    await until(lambda: len(visits.log.of("sftp_remote_away")) == 10)


@needs_sshd
@ensureDeferred
async def test_stopping_cuts_a_server_that_hangs(
    sshd: Sshd, silent: Silent, tmp_path: Path
) -> None:
    """In the handshake, in a connection that is not answered, in the middle of a file."""
    patient = {"patience": type(QUICK)()}
    sshd.put("big.xml", content(60_000_000))
    visits = Visits(
        tmp_path,
        acme=sshd.remote(),
        handshake=sshd.remote(port=silent.port),
        nowhere=sshd.remote(host="192.0.2.1"),  # TEST-NET-1: packets vanish, or are refused
    )
    visits.start(**patient)
    await until(lambda: any(each.stat().st_size > 1_000_000 for each in visits.left_over()))
    sshd.freeze()
    await seconds(0.5)
    begun = time.monotonic()
    await visits.stop(0.5)
    assert time.monotonic() - begun < 2.0
    assert visits.log.of("sftp_remote_thread_left") == []
    assert visits.left_over() == []
    assert not [t for t in threading.enumerate() if t.name.startswith("PoolThread-remote")]


@needs_sshd
@ensureDeferred
async def test_stopping_lets_a_file_that_is_being_received_finish(
    sshd: Sshd, tmp_path: Path
) -> None:
    """What intake said yes to within the grace is cleared away as well, and nothing more begun."""
    for number in range(50):
        sshd.put(f"{number}.xml", b"x")
    visits = Visits(tmp_path, acme=sshd.remote())
    gate: defer.Deferred[None] = defer.Deferred()

    async def slowly(upload: Upload) -> str:
        await task.deferLater(reactor, 0.3)
        if not gate.called:
            gate.callback(None)
        return visits.take(upload)

    visits.answer = slowly
    visits.start()
    await gate
    await visits.stop(2.0)
    assert 1 <= len(visits.received) <= 8
    assert len(sshd.names()) == 50 - len(visits.received)


@ensureDeferred
async def test_a_server_that_is_down_is_found_again(
    tmp_path: Path, running: list[Visits], quick_back_off: None
) -> None:
    """Nobody listens, then somebody does."""
    server = Sshd(tmp_path)
    server.put("a.xml", b"x")
    visits = Visits(tmp_path, acme=server.remote())
    running.append(visits)
    visits.start()
    await until(lambda: bool(visits.log.of("sftp_remote_away")))
    assert "refused" in visits.log.of("sftp_remote_away")[0]["error"]
    server.start()
    try:
        await until(lambda: server.names() == [])
    finally:
        server.stop()
    assert len(visits.log.of("sftp_remote_back")) == 1


@needs_sshd
@ensureDeferred
async def test_a_folder_that_is_not_there_is_told_once(
    sshd: Sshd, tmp_path: Path, running: list[Visits]
) -> None:
    """Reports can still be left meanwhile."""
    remote = sshd.remote(fetch_from="/no/such", push_to=str(sshd.home / "in"))
    visits = Visits(tmp_path, acme=remote)
    running.append(visits)
    visits.start()
    await until(lambda: bool(visits.log.of("sftp_remote_not_fetching")))
    await visits.clients.deliver(report())
    assert sshd.names("in") == ["report-1.xml"]
    assert len(visits.log.events) == 1
