"""What becomes of files in `out/`: fetched, removed once, kept for some days, told of."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
import structlog
from pytest_twisted import async_yield_fixture, ensureDeferred
from structlog.testing import CapturingLogger
from twisted.internet import reactor, task

from gateway.errors import JournalError
from gateway.service.journal import Journal, records
from gateway.service.out_watch import OutWatch
from gateway.service.sftp_server import place_in_out
from gateway.service.sftp_server.folders import out_folder
from gateway.service.sftp_server.outgoing import Outgoing, expire
from gateway.service.sftp_server.refusal import Refused
from tests.service.sftp_gateway import PARTNER, SftpGateway, content, until
from tests.service.test_outbox import NOW, settled

DAY = 86_400.0


class Out:
    """An `out/` with one file, and what is told of it."""

    def __init__(self, folder: Path, *, once_only: bool = True) -> None:
        self.folder = folder
        self.told: list[str] = []
        self.may_go = True
        self.outgoing = Outgoing(
            folder, once_only=once_only, fetched=self.tell, log=CapturingLogger()
        )
        (folder / "r.xml").write_bytes(content(100_000))

    def tell(self, name: str) -> bool:
        """As the daemon."""
        self.told.append(name)
        return self.may_go

    def names(self) -> list[str]:
        """What lies there."""
        return sorted(os.listdir(self.folder))


# ---- what counts as fetched


@pytest.mark.parametrize(
    ("reads", "fetched"),
    [
        ([(0, 50_000), (50_000, 50_000), (100_000, 1)], True),
        ([(50_000, 50_000), (0, 50_000)], True),
        ([(60_000, 40_000), (20_000, 40_000), (0, 20_000), (0, 10)], True),
        ([(0, 100_000)], True),
        ([(0, 99_999)], False),
        ([(1, 99_999)], False),
        ([(0, 10_000), (10_001, 89_999)], False),
        ([(100_000, 1)], False),
        ([], False),
    ],
)
def test_a_file_is_fetched_when_all_of_it_was_read(
    tmp_path: Path, reads: list[tuple[int, int]], fetched: bool
) -> None:
    """In any order, without a gap, and only when the client closes it."""
    out = Out(tmp_path)
    handle = out.outgoing.open("r.xml")
    for offset, length in reads:
        handle.read(offset, length)
    assert out.told == []
    handle.close()
    assert out.told == (["r.xml"] if fetched else [])
    assert out.names() == ([] if fetched else ["r.xml"])


def test_a_session_that_ends_in_the_middle_has_fetched_nothing(tmp_path: Path) -> None:
    """Whether its last bytes arrived, nobody knows."""
    out = Out(tmp_path)
    handle = out.outgoing.open("r.xml")
    handle.read(0, 100_000)
    handle.abandon()
    assert (out.told, out.names()) == ([], ["r.xml"])


def test_without_once_only_it_is_told_and_stays(tmp_path: Path) -> None:
    """The partner removes it, or time does."""
    out = Out(tmp_path, once_only=False)
    handle = out.outgoing.open("r.xml")
    handle.read(0, 100_000)
    handle.close()
    assert (out.told, out.names()) == (["r.xml"], ["r.xml"])


def test_what_the_journal_does_not_know_stays(tmp_path: Path) -> None:
    """It is fetched again at worst."""
    out = Out(tmp_path)
    out.may_go = False
    handle = out.outgoing.open("r.xml")
    handle.read(0, 100_000)
    handle.close()
    assert out.names() == ["r.xml"]


def test_a_file_that_was_sent_again_meanwhile_stays(tmp_path: Path) -> None:
    """Only what was read is removed, not what has its name now."""
    out = Out(tmp_path)
    handle = out.outgoing.open("r.xml")
    handle.read(0, 100_000)
    (tmp_path / "new").write_bytes(b"<again/>")
    (tmp_path / "new").rename(tmp_path / "r.xml")
    handle.close()
    assert (tmp_path / "r.xml").read_bytes() == b"<again/>"


def test_two_sessions_that_fetch_the_same_do_not_meet(tmp_path: Path) -> None:
    """The second finds it gone, and has it all the same."""
    out = Out(tmp_path)
    one, two = out.outgoing.open("r.xml"), out.outgoing.open("r.xml")
    for handle in (one, two):
        assert len(handle.read(0, 100_000)) == 100_000
    one.close()
    two.close()
    assert out.names() == []


def test_the_folder_is_not_read_for_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tens of thousands may lie there, and a partner that fetches them asks for each by name."""
    out = Out(tmp_path, once_only=False)

    def scandir(_folder: object) -> None:
        raise AssertionError("the whole folder was read")

    monkeypatch.setattr(os, "scandir", scandir)
    assert out.outgoing.status("r.xml").st_size == 100_000
    out.outgoing.open("r.xml").abandon()
    out.outgoing.remove("r.xml")
    assert out.told == []
    with pytest.raises(Refused, match="no such file"):
        out.outgoing.status("r.xml")


@pytest.mark.parametrize("name", ["link.xml", "folder", "pipe", ".tmp-x", "../r.xml", "", "R.xml"])
def test_nothing_but_files_of_ours_is_found(tmp_path: Path, name: str) -> None:
    """Whatever else lies there, or is asked for."""
    (tmp_path / "out").mkdir()
    out = Out(tmp_path / "out")
    (tmp_path / "r.xml").write_text("elsewhere")
    (out.folder / "link.xml").symlink_to(tmp_path / "r.xml")
    (out.folder / "folder").mkdir()
    os.mkfifo(out.folder / "pipe")
    (out.folder / ".tmp-x").write_text("x")
    for ask in (out.outgoing.status, out.outgoing.open, out.outgoing.remove):
        with pytest.raises(Refused, match="no such file"):
            ask(name)
    assert out.names() == [".tmp-x", "folder", "link.xml", "pipe", "r.xml"]


def test_only_what_is_old_enough_expires_and_only_with_leave(tmp_path: Path) -> None:
    """Nothing but complete files of ours; links and folders are nobody's business."""
    now = time.time()
    for name, age in (("old.xml", 8), ("young.xml", 6), (".tmp-x", 9), ("kept.xml", 9)):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (now - age * DAY, now - age * DAY))
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.xml").symlink_to(tmp_path / "old.xml")
    asked = []

    def expired(name: str) -> bool:
        asked.append(name)
        return name != "kept.xml"

    expire(tmp_path, now - 7 * DAY, expired)
    assert asked == ["kept.xml", "old.xml"]
    assert sorted(os.listdir(tmp_path)) == [
        ".tmp-x",
        "folder",
        "kept.xml",
        "link.xml",
        "young.xml",
    ]


# ---- with real clients


@async_yield_fixture
async def once(tmp_path: Path) -> AsyncIterator[SftpGateway]:
    """A partner with once-only retrieval and one day to fetch."""
    gateway = SftpGateway(tmp_path, access={"once_only": True, "keep_days": 1})
    await gateway.service.start()
    yield gateway
    await gateway.service.stop(2.0)


def lying(gateway: SftpGateway) -> list[str]:
    """What is in `out/`."""
    return sorted(os.listdir(out_folder(gateway.state, PARTNER)))


@ensureDeferred
async def test_openssh_and_paramiko_fetch_once(once: SftpGateway) -> None:
    """`get` has the whole file; afterwards it is gone, and the daemon knew before."""
    body = content(3_000_000)
    for name in ("a.xml", "b.xml", "c.xml"):
        place_in_out(once.state, PARTNER, name, body)
    done = await once.sftp("get out/a.xml a")
    assert done.returncode == 0, done.stderr
    assert (once.folder / "a").read_bytes() == body
    assert lying(once) == ["b.xml", "c.xml"]

    def fetch(sftp: paramiko.SFTPClient) -> None:
        sftp.get("/out/b.xml", str(once.folder / "b"))

    await once.with_paramiko(fetch)
    assert (once.folder / "b").read_bytes() == body
    assert lying(once) == ["c.xml"]
    assert once.out.heard == [("fetched", PARTNER, "a.xml"), ("fetched", PARTNER, "b.xml")]
    once.out.may_go = False
    assert (await once.sftp("get out/c.xml c")).returncode == 0
    assert lying(once) == ["c.xml"]


@ensureDeferred
async def test_a_download_that_is_cut_off_stays(once: SftpGateway) -> None:
    """A client that reads a part and leaves gets it again."""
    place_in_out(once.state, PARTNER, "a.xml", content(1_000_000))

    def part(sftp: paramiko.SFTPClient) -> None:
        with sftp.open("/out/a.xml") as file:
            file.read(10_000)

    await once.with_paramiko(part)
    assert lying(once) == ["a.xml"]
    assert once.out.heard == []


@ensureDeferred
async def test_others_keep_what_they_fetched(tmp_path: Path) -> None:
    """Off by default; the daemon hears of it all the same."""
    gateway = SftpGateway(tmp_path)
    await gateway.service.start()
    try:
        place_in_out(gateway.state, PARTNER, "a.xml", b"<a/>")
        assert (await gateway.sftp("get out/a.xml a")).returncode == 0
        await until(lambda: gateway.out.heard == [("fetched", PARTNER, "a.xml")])
        assert lying(gateway) == ["a.xml"]
    finally:
        await gateway.service.stop(2.0)


@ensureDeferred
async def test_what_nobody_fetched_in_time_is_removed(tmp_path: Path) -> None:
    """By the process that sweeps, at its start and from then on; the daemon is asked before."""
    gateway = SftpGateway(tmp_path, access={"keep_days": 2}, processes=2)
    folder = out_folder(gateway.state, PARTNER)
    for name, days in (("old.xml", 2.1), ("young.xml", 1.9)):
        place_in_out(gateway.state, PARTNER, name, b"<r/>")
        then = time.time() - days * DAY
        os.utime(folder / name, (then, then))
    await gateway.service.start()
    try:
        await until(lambda: lying(gateway) == ["young.xml"])
        assert gateway.out.heard == [("expired", PARTNER, "old.xml")]
    finally:
        await gateway.service.stop(2.0)


# ---- what the journal and the log keep


class Kept:
    """A journal with a report that went into `out/`, and the watch."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.said = CapturingLogger()
        log = structlog.wrap_logger(self.said, processors=[])
        self.watch = OutWatch(journal, log=log, now=lambda: NOW)

    async def report(self) -> records.OutboxRow:
        """The row of the report."""
        rows = await self.journal.read(
            "t", lambda conn: records.outbox_of(conn, "018bcfe5-6800-7fff-bfff-000000000001")
        )
        (row,) = [row for row in rows if (row.kind, row.destination) == ("report", "sftp")]
        return row

    def events(self) -> list[str]:
        """What the log says."""
        return [call.kwargs["event"] for call in self.said.calls]


@async_yield_fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    """The report `1.report.xml` of acme."""
    journal = Journal(reactor, tmp_path / "journal.sqlite")
    await journal.open()
    await settled(journal)
    yield Kept(journal)
    await journal.close()


@ensureDeferred
async def test_the_journal_knows_when_it_was_fetched(kept: Kept) -> None:
    """The first time stands; that it expires afterwards is no news."""
    assert await kept.watch.fetched("acme", "1.report.xml")
    assert (await kept.report()).fetched_at == NOW
    assert await kept.watch.expired("acme", "1.report.xml")
    assert (await kept.report()).expired_at == NOW
    assert kept.events() == ["acknowledgement_fetched", "acknowledgement_removed"]
    assert kept.watch.never_fetched == 0


@ensureDeferred
async def test_what_was_never_fetched_is_told_and_can_be_sent_again(kept: Kept) -> None:
    """With the command that puts it there once more; that makes it new again."""
    assert await kept.watch.expired("acme", "1.report.xml")
    (call,) = kept.said.calls
    assert (call.method_name, call.kwargs["event"]) == ("warning", "acknowledgement_never_fetched")
    row = await kept.report()
    assert f"edi-gateway resend {row.interchange_id} --to partner" in call.kwargs["remedy"]
    assert kept.watch.never_fetched == 1
    await kept.journal.write("t", lambda conn: records.once_more(conn, [row.id], NOW))
    row = await kept.report()
    assert (row.state, row.fetched_at, row.expired_at) == ("pending", None, None)


@ensureDeferred
async def test_files_the_journal_does_not_know_may_go(kept: Kept) -> None:
    """Of another partner, or from before a restored backup: nobody is warned for them."""
    for partner, name in (("other", "1.report.xml"), ("acme", "unknown.xml")):
        assert await kept.watch.fetched(partner, name)
        assert await kept.watch.expired(partner, name)
    assert (await kept.report()).fetched_at is None
    assert "acknowledgement_never_fetched" not in kept.events()


@ensureDeferred
async def test_a_journal_that_cannot_write_keeps_the_file(kept: Kept) -> None:
    """What is not noted is not removed."""

    async def full(*_: Any, **__: Any) -> Any:
        await task.deferLater(reactor, 0)
        raise JournalError("disk full")

    kept.journal.write = full  # type: ignore[method-assign]
    assert not await kept.watch.fetched("acme", "1.report.xml")
    assert not await kept.watch.expired("acme", "1.report.xml")
    assert kept.events() == ["out_fetched_not_noted", "out_expired_not_noted"]
