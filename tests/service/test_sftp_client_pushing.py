"""Reports left on a real OpenSSH server: whole or not at all, and nobody waits for a dead one."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import defer, reactor, task
from twisted.internet.threads import deferToThread

from gateway.config.settings import Outbox as OutboxSettings
from gateway.errors import DeliveryFailed
from gateway.model.interchange import Transport
from gateway.service.outbox import Outbox
from gateway.service.sftp_client import errors
from gateway.service.sftp_client.connection import Connection
from gateway.service.sftp_client.upload import upload
from tests.service.house import ACCEPTED, FakeJudges, House
from tests.service.sftp_gateway import content, until
from tests.service.sftp_visits import QUICK, Visits, report
from tests.service.sshd import Sshd, needs_sshd

pytestmark = [pytest.mark.ssh, needs_sshd]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path)
    server.start()
    yield server
    server.stop()


@async_yield_fixture
async def visits(tmp_path: Path, sshd: Sshd) -> AsyncIterator[Visits]:
    running = Visits(tmp_path, acme=sshd.remote(fetch_from="", push_to=str(sshd.home / "in")))
    running.start(push_wait_seconds=0.5)
    yield running
    await running.stop()


@pytest.fixture
def quick_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors.RemoteAway, "first_pause_seconds", 0.2)


@ensureDeferred
async def test_a_report_is_left_whole(sshd: Sshd, visits: Visits) -> None:
    """Under its name, and nothing beside it; again changes nothing."""
    for _ in range(2):
        await visits.clients.deliver(report(body=b"<report/>"))
    assert sshd.names("in") == ["report-1.xml"]
    assert (sshd.home / "in" / "report-1.xml").read_bytes() == b"<report/>"


@ensureDeferred
async def test_a_large_report_comes_from_the_spool(sshd: Sshd, visits: Visits) -> None:
    """Not from the row, which only names it."""
    body = content(5_000_000)
    stored = await deferToThread(visits.spool.store, [body])
    await visits.clients.deliver(report(body=b"", payload=stored.sha256))
    assert (sshd.home / "in" / "report-1.xml").read_bytes() == body


@ensureDeferred
async def test_nobody_ever_sees_half_a_report(sshd: Sshd, visits: Visits) -> None:
    """Looking all the time: while it is written its name ends in .part, with a dot in front."""
    body = content(30_000_000)
    stored = await deferToThread(visits.spool.store, [body])
    seen: dict[str, set[int]] = {}
    over = False

    def watch() -> None:
        while not over:
            for entry in os.scandir(sshd.home / "in"):
                try:
                    seen.setdefault(entry.name, set()).add(entry.stat().st_size)
                except FileNotFoundError:
                    continue

    watching = deferToThread(watch)
    try:
        for _ in range(3):
            row = report(7, body=b"", payload=stored.sha256, filename="r.xml")
            while True:
                with suppress(DeliveryFailed):  # "is still on its way"
                    await visits.clients.deliver(row)
                    break
                await task.deferLater(reactor, 0.05)
    finally:
        over = True
        await watching
    assert set(seen) == {".r.xml.part", "r.xml"}
    assert len(seen[".r.xml.part"]) > 3
    assert seen["r.xml"] == {len(body)}


@ensureDeferred
async def test_a_batch_shares_a_connection(sshd: Sshd, visits: Visits) -> None:
    """Fifty reports at once, one login."""
    rows = [report(number) for number in range(1, 51)]
    await defer.gatherResults(
        [defer.Deferred.fromCoroutine(visits.clients.deliver(row)) for row in rows]
    )
    assert len(sshd.names("in")) == 50
    assert sshd.connections() == 1


@ensureDeferred
async def test_a_slow_server_keeps_nobody_waiting(sshd: Sshd, visits: Visits) -> None:
    """The attempt ends before the upload does; the next one finds it done, and sends nothing."""
    await visits.clients.deliver(report(1))
    sshd.freeze()
    with pytest.raises(DeliveryFailed, match="still on its way"):
        await visits.clients.deliver(report(2))
    begun = time.monotonic()
    for number in range(3, 20):  # one wait in vain is enough
        with pytest.raises(DeliveryFailed, match="still on its way"):
            await visits.clients.deliver(report(number))
    assert time.monotonic() - begun < 0.3
    sshd.thaw()
    await until(lambda: len(sshd.names("in")) == 19 and "report-19.xml" in sshd.names("in"))
    (sshd.home / "in" / "report-2.xml").unlink()  # the partner has fetched it
    await visits.clients.deliver(report(2))
    assert "report-2.xml" not in sshd.names("in")
    assert visits.log.events == []


@ensureDeferred
async def test_a_server_in_trouble_is_answered_for_at_once(
    sshd: Sshd, visits: Visits, quick_back_off: None
) -> None:
    """The first report waits its second, the others do not; they go out when it is back."""
    await visits.clients.deliver(report(1))
    sshd.freeze()
    begun = time.monotonic()
    with pytest.raises(DeliveryFailed, match="on its way"):
        await visits.clients.deliver(report(2))
    assert time.monotonic() - begun < 2.0
    await until(lambda: bool(visits.log.of("sftp_remote_away")))
    begun = time.monotonic()
    with pytest.raises(DeliveryFailed, match="in time"):
        await visits.clients.deliver(report(2))
    for number in range(3, 100):
        with pytest.raises(DeliveryFailed, match="waits for acme's server"):
            await visits.clients.deliver(report(number))
    assert time.monotonic() - begun < 0.5
    sshd.thaw()
    await until(lambda: visits.recoveries == 1)
    await visits.clients.deliver(report(2))
    assert "report-2.xml" in sshd.names("in")


@ensureDeferred
async def test_a_folder_that_cannot_be_written_is_told_with_a_remedy(
    sshd: Sshd, tmp_path: Path
) -> None:
    """The connection is well, the report is not delivered."""
    visits = Visits(tmp_path, acme=sshd.remote(fetch_from="", push_to="/no/such/folder"))
    visits.start()
    with pytest.raises(DeliveryFailed, match="no such file") as caught:
        await visits.clients.deliver(report())
    assert caught.value.remedy
    assert visits.log.of("sftp_remote_away") == []
    await visits.stop()


@ensureDeferred
async def test_without_push_to_there_is_nothing_to_leave(sshd: Sshd, tmp_path: Path) -> None:
    """It counts as delivered; a partner who has lost its server altogether does not."""
    visits = Visits(tmp_path, acme=sshd.remote(fetch_from=""))
    visits.start()
    await visits.clients.deliver(report())
    with pytest.raises(DeliveryFailed, match="no SFTP server"):
        await visits.clients.deliver(report(partner="gone"))
    await visits.stop()
    assert sshd.connections() == 0


@ensureDeferred
async def test_a_server_without_posix_rename_gets_the_report_too(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is taken: the same size is ours already, another size is replaced."""
    monkeypatch.setattr("gateway.service.sftp_client.session.Session.replaces", False)
    folder = sshd.home / "in"

    def push(body: bytes) -> None:
        connection = Connection(sshd.remote(), QUICK)
        connection.open()
        upload(connection.session, str(folder), "r.xml", body)
        connection.cut()

    for body in (b"12345", b"12345", b"1234567"):
        await deferToThread(push, body)
        assert sshd.names("in") == ["r.xml"]
        assert (folder / "r.xml").read_bytes() == body


@ensureDeferred
async def test_the_outbox_delivers_once_the_server_is_up(
    tmp_path: Path, quick_back_off: None
) -> None:
    """It is tried again until then; the interchange is acknowledged only afterwards."""
    server = Sshd(tmp_path)
    house = House(tmp_path)
    await house.open()
    visits = Visits(tmp_path, acme=server.remote(fetch_from="", push_to=str(server.home / "in")))
    visits.start(push_wait_seconds=1.0)

    class NoBroker:
        available = False

        async def publish(self, publication: object) -> None:
            raise AssertionError

    outbox = Outbox(
        reactor,
        journal=house.journal,
        broker=NoBroker(),
        channels={"sftp-remote": visits.clients.deliver},
        settings=OutboxSettings(retry_min_seconds=0.2, retry_max_seconds=0.5, poll_seconds=0.2),
        committed=["ctc-fr-invoice"],
        log=structlog.wrap_logger(house.said, processors=[]),
    )
    outbox.start()
    intake = await house.intake(FakeJudges(ACCEPTED))
    id_ = await intake.receive(house.arrival(), Transport.SFTP_REMOTE)
    await house.reaches(id_, "settled")
    await task.deferLater(reactor, 1.0)
    (row,) = [r for r in await house.outbox(id_, "report") if r.destination == "sftp-remote"]
    assert row.attempts >= 1
    assert "cannot be reached" in (row.last_error or "")
    server.start()
    try:
        await until(lambda: server.names("in") == [row.filename])
        for _ in range(100):
            (row,) = [
                r for r in await house.outbox(id_, "report") if r.destination == "sftp-remote"
            ]
            if row.state == "delivered":
                break
            await task.deferLater(reactor, 0.05)
        assert row.state == "delivered"
    finally:
        await outbox.stop(1.0)
        await visits.stop()
        await intake.stop(1.0)
        await house.journal.close()
        server.stop()
