"""Files fetched from a real OpenSSH server: which, when, and what becomes of them there."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor, task

from gateway.errors import DeliveryFailed, IntakeRefused
from gateway.model.interchange import Transport
from gateway.model.partner import Partner
from gateway.service.sftp_server import Upload
from tests.service.house import ACCEPTED, FakeJudges, House
from tests.service.sftp_gateway import content, until
from tests.service.sftp_visits import Visits, report
from tests.service.sshd import Sshd, needs_sshd

pytestmark = [pytest.mark.ssh, needs_sshd]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path)
    server.start()
    yield server
    server.stop()


class Running:
    """Starts visits, and ends them with the test."""

    def __init__(self, folder: Path, sshd: Sshd) -> None:
        self._folder = folder
        self._sshd = sshd
        self.all: list[Visits] = []

    def __call__(self, **settings: Any) -> Visits:
        """Visits to the server, with these settings of the partner's."""
        visits = Visits(self._folder, acme=self._sshd.remote(**settings))
        self.all.append(visits)
        return visits


@async_yield_fixture
async def visiting(tmp_path: Path, sshd: Sshd) -> AsyncIterator[Running]:
    running = Running(tmp_path, sshd)
    yield running
    for each in running.all:
        await each.stop()
        assert each.left_over() == []
    assert not [t for t in threading.enumerate() if "remote" in t.name and not t.daemon]


async def seconds(count: float) -> None:
    """Let time pass."""
    await task.deferLater(reactor, count)


@ensureDeferred
async def test_a_file_that_stands_still_is_fetched_and_deleted(
    sshd: Sshd, visiting: Running
) -> None:
    """Its bytes arrive under its name; afterwards it is gone there, in one connection."""
    body = content(200_000)
    sshd.put("a.xml", body)
    visits = visiting()
    visits.start()
    await until(lambda: sshd.names() == [])
    assert visits.received == [("a.xml", body)]
    assert sshd.connections() == 1


@ensureDeferred
async def test_a_growing_file_is_left_until_it_stands_still(sshd: Sshd, visiting: Running) -> None:
    """As long as it grows between looks nobody touches it; then it comes whole, once."""
    path = sshd.put("a.xml", b"")
    visits = visiting(stable_seconds=0.6, poll_seconds=1.0)
    visits.start()
    with path.open("ab", buffering=0) as file:
        for _ in range(12):
            file.write(b"x" * 1000)
            await seconds(0.2)
            assert visits.received == []
    await until(lambda: sshd.names() == [])
    assert visits.received == [("a.xml", b"x" * 12_000)]


@ensureDeferred
async def test_with_a_marker_only_marked_files_are_fetched(sshd: Sshd, visiting: Running) -> None:
    """The file goes first, then its marker; a file without one and a marker without one stay."""
    for name in ("a.xml", "a.xml.ok", "b.xml", "c.xml.ok"):
        sshd.put(name, name.encode())
    visits = visiting(marker_suffix=".ok", stable_seconds=3600.0)
    visits.start()
    await until(lambda: sshd.names() == ["b.xml", "c.xml.ok"])
    await seconds(1.2)
    assert visits.received == [("a.xml", b"a.xml")]
    assert sshd.names() == ["b.xml", "c.xml.ok"]


@ensureDeferred
async def test_files_are_moved_and_never_over_another(sshd: Sshd, visiting: Running) -> None:
    """With `move_to` they are kept there, marker too; a name that is taken gets another ending."""
    done = sshd.home / "done"
    (done / "a.xml").write_bytes(b"older")
    sshd.put("a.xml", b"newer")
    sshd.put("a.xml.ok", b"")
    visits = visiting(move_to=str(done), marker_suffix=".ok")
    visits.start()
    await until(lambda: sshd.names() == [])
    assert (done / "a.xml").read_bytes() == b"older"
    (other,) = done.glob("a-????????.xml")
    assert other.read_bytes() == b"newer"
    assert (done / "a.xml.ok").exists()


ODD_NAMES = [
    "a b.xml",
    'l\'été "quoted" $(id) `x`.xml',
    "-rf",
    "..xml",
    "x\\..\\..\\y.xml",
    "\u202egnp.xml",
    "%s%n.xml",
    "x" * 251 + ".xml",
]


@ensureDeferred
async def test_odd_names_are_names_and_nothing_else(sshd: Sshd, visiting: Running) -> None:
    """They reach intake as they are, and no file here is called so."""
    for name in ODD_NAMES:
        sshd.put(name, name.encode())
    visits = visiting()
    visits.start()
    wanted = sorted(name for name in ODD_NAMES if not name.startswith("."))
    await until(lambda: sorted(visits.names) == wanted)
    await until(lambda: sshd.names() == ["..xml"])  # a dot in front: still on its way


@ensureDeferred
async def test_names_that_are_no_text_are_passed_over_and_told_once(
    sshd: Sshd, visiting: Running
) -> None:
    """Control characters and bytes that are not UTF-8; the files beside them are fetched."""
    sshd.put("a\nb.xml", b"1")
    sshd.put(b"caf\xe9.xml", b"2")
    sshd.put("good.xml", b"3")
    visits = visiting(poll_seconds=1.0)
    visits.start()
    await until(lambda: visits.names == ["good.xml"])
    await seconds(1.5)
    assert visits.names == ["good.xml"]
    told = visits.log.of("sftp_remote_passed_over")
    assert sorted(each["name"] for each in told) == ["a\nb.xml", "caf\N{REPLACEMENT CHARACTER}.xml"]
    assert "another name" in told[0]["error"]


@ensureDeferred
async def test_only_regular_files_with_final_names_are_fetched(
    sshd: Sshd, visiting: Running
) -> None:
    """Links, folders, pipes and temporary names stay where they are."""
    out = sshd.home / "out"
    (out / "secret").symlink_to("/etc/passwd")
    (out / "folder").mkdir()
    os.mkfifo(out / "pipe")
    for name in (".a.xml", "a.part", "a.filepart", "A.TMP", "good.xml"):
        sshd.put(name, b"x")
    visits = visiting()
    visits.start()
    await until(lambda: "good.xml" not in sshd.names())
    await seconds(1.5)
    assert visits.names == ["good.xml"]
    assert len(sshd.names()) == 7


@ensureDeferred
async def test_a_file_that_is_too_large_stays_and_is_told_once(
    sshd: Sshd, visiting: Running
) -> None:
    """`sftp.max_file_bytes` holds for what we fetch as well."""
    sshd.put("big.xml", b"x" * 2000)
    sshd.put("small.xml", b"x")
    visits = visiting()
    visits.start(max_file_bytes=1000)
    await until(lambda: visits.names == ["small.xml"])
    await seconds(1.5)
    assert sshd.names() == ["big.xml"]
    (told,) = visits.log.of("sftp_remote_passed_over")
    assert "max_file_bytes" in told["error"]


@ensureDeferred
async def test_a_file_replaced_while_it_is_received_is_not_deleted(
    sshd: Sshd, visiting: Running
) -> None:
    """What is deleted is what was fetched; its successor is fetched in its turn."""
    sshd.put("a.xml", b"first")
    visits = visiting()

    async def slowly(upload: Upload) -> str:
        if not visits.received:
            sshd.put("new", b"second, longer").rename(sshd.home / "out" / "a.xml")
        return visits.take(upload)

    visits.answer = slowly
    visits.start()
    await until(lambda: sshd.names() == [])
    assert visits.received == [("a.xml", b"first"), ("a.xml", b"second, longer")]


@ensureDeferred
async def test_what_cannot_be_deleted_is_not_fetched_again(
    sshd: Sshd, visiting: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once with a remedy, tried again later, and deleted as soon as that works."""
    monkeypatch.setattr("gateway.service.sftp_client.fetching.FIRST_RETRY_SECONDS", 1.0)
    # The server is root here and may delete anything: a move to a folder that is not there.
    missing = sshd.home / "missing"
    sshd.put("a.xml", b"x")
    visits = visiting(move_to=str(missing), poll_seconds=1.0)
    visits.start()
    await until(lambda: bool(visits.log.of("sftp_remote_not_cleared")))
    await seconds(3.5)
    assert visits.names == ["a.xml"]
    (told,) = visits.log.of("sftp_remote_not_cleared")
    assert told["names"] == ["a.xml"]
    assert "right" in told["remedy"]
    missing.mkdir()
    await until(lambda: sshd.names() == [])
    assert visits.names == ["a.xml"]


@ensureDeferred
async def test_a_refusing_intake_leaves_everything_with_the_partner(
    sshd: Sshd, visiting: Running
) -> None:
    """The round ends, one line is logged; when it takes files again they all come."""
    for number in range(20):
        sshd.put(f"{number}.xml", b"x")
    visits = visiting()
    asked = 0

    async def refuse(upload: Upload) -> str:
        nonlocal asked
        asked += 1
        raise IntakeRefused("Full.")

    visits.answer = refuse
    visits.start()
    await until(lambda: bool(visits.log.of("sftp_remote_not_fetching")))
    assert asked <= 4
    assert len(sshd.names()) == 20
    assert visits.left_over() == []
    visits.answer = None
    await visits.stop()
    visits.start()
    await until(lambda: sshd.names() == [])
    assert len(visits.received) == 20


@ensureDeferred
async def test_no_file_is_fetched_onto_a_full_disk(sshd: Sshd, visiting: Running) -> None:
    """`intake.min_free_mb` is looked at before the download, not after it."""
    sshd.put("a.xml", b"x")
    visits = visiting()
    visits.start(min_free_mb=10**9)
    await until(lambda: bool(visits.log.of("sftp_remote_not_fetching")))
    assert visits.received == []
    assert sshd.names() == ["a.xml"]


@ensureDeferred
async def test_a_crash_between_receiving_and_deleting_makes_one_interchange(
    sshd: Sshd, tmp_path: Path
) -> None:
    """The file is fetched once more, found to be the interchange it made, and deleted."""
    house = House(tmp_path)
    await house.open()
    intake = await house.intake(FakeJudges(ACCEPTED))
    sshd.put("a.xml", b"<a/>")
    visits = Visits(tmp_path, acme=sshd.remote(move_to=str(sshd.home / "missing")))
    visits.spool = house.spool
    ids: list[str] = []

    async def receive(upload: Upload) -> str:
        ids.append(await intake.receive(upload, Transport.SFTP_REMOTE))
        return ids[-1]

    visits.answer = receive
    visits.start()
    await until(lambda: bool(visits.log.of("sftp_remote_not_cleared")))
    await visits.stop(0.0)  # what it remembered of the file is lost, as in a crash
    (sshd.home / "missing").mkdir()
    visits.start()
    await until(lambda: sshd.names() == [])
    await visits.stop()
    assert len(ids) == 2
    assert len(set(ids)) == 1
    row = await house.row(ids[0])
    assert row.transport == Transport.SFTP_REMOTE
    await intake.stop(1.0)
    await house.journal.close()


@ensureDeferred
async def test_five_hundred_files(sshd: Sshd, visiting: Running) -> None:
    """They come in one round, each once, over one connection."""
    for number in range(500):
        sshd.put(f"{number:03}.xml", b"%d" % number * 1000)
    visits = visiting()
    begun = time.monotonic()
    visits.start()
    await until(lambda: sshd.names() == [])
    print(f"500 files in {time.monotonic() - begun:.1f} s, with the first look")
    assert sorted(visits.names) == [f"{number:03}.xml" for number in range(500)]
    assert sshd.connections() == 1


@ensureDeferred
async def test_a_large_file_is_streamed(sshd: Sshd, visiting: Running) -> None:
    """50 MB cost a few MB of memory: what is under way is bounded."""
    piece = content(1_000_000)
    with (sshd.home / "out" / "big.xml").open("wb") as file:
        for _ in range(50):
            file.write(piece)
    visits = visiting()
    sizes: list[int] = []

    async def measure(upload: Upload) -> str:
        sizes.append(upload.size)
        upload.path.unlink()
        return "i"

    visits.answer = measure
    process = psutil.Process()
    before = most = process.memory_info().rss
    visits.start()
    deadline = time.monotonic() + 60
    while sshd.names() and time.monotonic() < deadline:
        most = max(most, process.memory_info().rss)
        await seconds(0.02)
    print(f"memory grew by {(most - before) / 1e6:.1f} MB")
    assert sizes == [50_000_000]
    assert most - before < 20_000_000


@ensureDeferred
async def test_partners_change_while_others_are_visited(sshd: Sshd, visiting: Running) -> None:
    """A new one is visited, one that left no more; who stayed keeps its connection."""
    visits = visiting()
    visits.start()
    sshd.put("a.xml", b"<a/>")
    await until(lambda: visits.names == ["a.xml"])
    (sshd.home / "other").mkdir()
    other = sshd.remote(fetch_from=str(sshd.home / "other"))
    stays = Partner(name="acme", sftp_remote=sshd.remote())
    await visits.clients.replace([stays, Partner(name="new", sftp_remote=other)], 2.0)
    sshd.put("b.xml", b"<b/>")
    (sshd.home / "other" / "c.xml").write_bytes(b"<c/>")
    await until(lambda: sorted(visits.names) == ["a.xml", "b.xml", "c.xml"])
    assert sshd.connections() == 2
    await visits.clients.replace(
        [stays, Partner(name="new", sftp_remote=other, enabled=False)], 2.0
    )
    (sshd.home / "other" / "d.xml").write_bytes(b"<d/>")
    sshd.put("e.xml", b"<e/>")
    await until(lambda: "e.xml" in visits.names)
    with pytest.raises(DeliveryFailed, match="no SFTP server"):
        await visits.clients.deliver(report(partner="new"))
    assert "d.xml" not in visits.names
    await visits.clients.replace([], 2.0)
    sshd.put("f.xml", b"<f/>")
    await visits.clients.replace([stays], 2.0)
    await until(lambda: "f.xml" in visits.names)
