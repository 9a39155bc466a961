"""A watched folder on a real disk with real events: what is taken, when, and what is left."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import defer, inotify, reactor, task
from twisted.internet.threads import deferToThread

from gateway.errors import DeliveryFailed, FolderUnusable, IntakeRefused
from gateway.model.interchange import Transport
from gateway.model.partner import FolderAccess, Partner
from gateway.service import folder_files, folder_watch
from gateway.service.folder_entries import PRIVATE
from gateway.service.folder_files import FileChanged, WatchedFolder, room_on
from gateway.service.folder_watch import FolderWatch
from gateway.service.folder_watches import FolderWatches, put_acknowledgement
from gateway.service.sftp_server.arrival import Upload
from gateway.spool import Spool
from tests.service.house import ACCEPTED, FakeJudges, House

QUIET = 0.15


class Taken(msgspec.Struct):
    """What the intake was given."""

    name: str
    data: bytes


class Site:
    """An inbox, a spool's incoming folder, and an intake that says what a test tells it to."""

    def __init__(self, folder: Path) -> None:
        self.inbox = folder / "inbox"
        self.incoming = folder / "incoming"
        self.elsewhere = folder / "elsewhere"
        for each in (self.inbox, self.incoming, self.elsewhere):
            each.mkdir()
        self.taken: list[Taken] = []
        self.refusals: list[Exception] = []
        self.before_receipt: Callable[[Upload], Any] = lambda upload: None
        self.watches: list[FolderWatch] = []
        self.said = structlog.testing.CapturingLogger()
        self.max_bytes = 1_000_000_000

    async def receive(self, upload: Upload) -> str:
        """The intake: takes the file away, or refuses."""
        assert upload.partner == "acme"
        await defer.maybeDeferred(self.before_receipt, upload)
        if self.refusals:
            raise self.refusals.pop(0)
        data = upload.path.read_bytes()
        assert (upload.sha256, upload.size) == (hashlib.sha256(data).hexdigest(), len(data))
        upload.path.unlink()
        self.taken.append(Taken(upload.name, data))
        return "id"

    def watch(self, **access: Any) -> FolderWatch:
        """A started watch."""
        settings = {"quiet_seconds": QUIET, "rescan_seconds": 3600.0, **access}
        watch = FolderWatch(
            reactor,
            "acme",
            FolderAccess(inbox=str(self.inbox), **settings),
            incoming=self.incoming,
            room=lambda size: room_on(lambda: 1000, 0, self.max_bytes)(size),
            receive=self.receive,
            in_thread=deferToThread,
            log=structlog.wrap_logger(self.said, processors=[]),
        )
        watch.start()
        self.watches.append(watch)
        return watch

    async def watching(self, **access: Any) -> FolderWatch:
        """A started watch that sees events."""
        watch = self.watch(**access)
        await until(lambda: watch._events._watched is not None)
        return watch

    @property
    def names(self) -> list[str]:
        """What was taken."""
        return [each.name for each in self.taken]

    @property
    def left(self) -> list[str]:
        """What lies in the inbox, our own folder and what is in it included."""
        return sorted(
            str(path.relative_to(self.inbox))
            for path in self.inbox.rglob("*")
            if path.name != PRIVATE
        )

    def events(self, name: str) -> list[dict[str, Any]]:
        """What was logged under this name."""
        return [call.kwargs for call in self.said.calls if call.kwargs.get("event") == name]


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait, bounded."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await task.deferLater(reactor, 0.01)
    raise AssertionError("it never came to that")


async def a_while(seconds: float) -> None:
    """Let things happen."""
    await task.deferLater(reactor, seconds)


@async_yield_fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A site whose watches are stopped afterwards."""
    made = Site(tmp_path)
    yield made
    for watch in made.watches:
        await watch.stop(2)
    assert list(made.incoming.iterdir()) == []


@ensureDeferred
async def test_a_file_renamed_into_the_folder_is_taken_at_once_and_removed(site: Site) -> None:
    """However long the quiet time is."""
    await site.watching(quiet_seconds=3600)
    (site.inbox / "a.xml.part").write_bytes(b"<a/>")
    await a_while(0.1)
    assert site.taken == []
    (site.inbox / "a.xml.part").rename(site.inbox / "a.xml")
    await until(lambda: site.taken and not site.left)
    assert site.taken == [Taken("a.xml", b"<a/>")]


@ensureDeferred
async def test_a_file_written_in_pieces_is_taken_once_and_whole(site: Site) -> None:
    """Pauses longer than the quiet time do not matter while it is open."""
    await site.watching()
    with (site.inbox / "a.xml").open("wb") as file:
        for _ in range(4):
            file.write(b"x" * 1000)
            file.flush()
            await a_while(QUIET * 1.5)
            assert site.taken == []
    await until(lambda: site.taken and not site.left)
    assert site.taken == [Taken("a.xml", b"x" * 4000)]


@ensureDeferred
async def test_a_file_closed_and_continued_is_waited_for(site: Site) -> None:
    """Each close starts the quiet time anew."""
    await site.watching(quiet_seconds=0.3)
    for _ in range(4):
        with (site.inbox / "a.xml").open("ab") as file:
            file.write(b"x")
        await a_while(0.1)
    assert site.taken == []
    await until(lambda: site.taken)
    assert site.taken == [Taken("a.xml", b"xxxx")]


@ensureDeferred
async def test_the_rename_of_openssh_is_a_hard_link_and_found_too(site: Site) -> None:
    """Its sftp-server links the new name and removes the old: no rename, no close."""
    await site.watching()
    (site.inbox / "a.filepart").write_bytes(b"x")
    os.link(site.inbox / "a.filepart", site.inbox / "a.xml")
    (site.inbox / "a.filepart").unlink()
    await until(lambda: site.names == ["a.xml"] and not site.left)


@ensureDeferred
async def test_temporary_names_links_and_folders_are_left_alone(site: Site) -> None:
    """Also by the look around; nothing outside the folder is ever read."""
    secret = site.elsewhere / "secret"
    secret.write_bytes(b"secret")
    for name in ("a.part", "b.filepart", "c.TMP", ".hidden"):
        (site.inbox / name).write_bytes(b"x")
    (site.inbox / "link.xml").symlink_to(secret)
    (site.inbox / "sub").mkdir()
    (site.inbox / "sub" / "inner.xml").write_bytes(b"x")
    os.mkfifo(site.inbox / "pipe.xml")
    before = site.left
    await site.watching(rescan_seconds=0.1)
    (site.inbox / "late.xml").symlink_to(secret)
    (site.elsewhere / "other").symlink_to(secret)
    (site.elsewhere / "other").rename(site.inbox / "renamed.xml")
    await a_while(QUIET * 4)
    assert site.taken == []
    assert site.left == sorted([*before, "late.xml", "renamed.xml"])


def test_a_link_put_where_a_file_was_is_not_followed(site: Site) -> None:
    """Between the look and the copy."""
    (site.inbox / "a.xml").symlink_to("/etc/passwd")
    folder = WatchedFolder(site.inbox, None)
    with pytest.raises(FileNotFoundError):
        folder.copy("a.xml", site.incoming, lambda size: None, threading.Event())
    assert list(site.incoming.iterdir()) == []


@ensureDeferred
async def test_what_came_before_we_were_there_is_found_by_looking_around(site: Site) -> None:
    """After it has kept quiet, for it may be half written."""
    (site.inbox / "a.xml").write_bytes(b"x")
    site.watch()
    await until(lambda: site.names == ["a.xml"] and not site.left)


@ensureDeferred
async def test_without_inotify_files_are_found_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator reads which limit to raise."""

    def none_left(reactor: Any) -> Any:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(inotify, "INotify", none_left)
    site.watch(rescan_seconds=0.1)
    await a_while(0.1)
    (site.inbox / "a.xml").write_bytes(b"x")
    await until(lambda: site.names == ["a.xml"] and not site.left)
    (complaint,) = site.events("folder_events_unavailable")
    assert "max_user_instances" in complaint["remedy"]


@ensureDeferred
async def test_a_thousand_files_are_taken_once_each(site: Site) -> None:
    """Whether renamed or written, before the start or after it."""
    for number in range(300):
        (site.inbox / f"{number}.xml").write_bytes(b"%d" % number)
    await site.watching()
    for number in range(300, 1000):
        name = f"{number}.xml" if number % 2 else f"{number}.part"
        (site.inbox / name).write_bytes(b"%d" % number)
        if not number % 2:
            (site.inbox / name).rename(site.inbox / f"{number}.xml")
    await until(lambda: len(site.taken) >= 1000 and not site.left, 60)
    assert sorted(site.names) == sorted(f"{number}.xml" for number in range(1000))
    assert {int(each.data) for each in site.taken} == set(range(1000))


@ensureDeferred
async def test_events_the_kernel_dropped_lead_to_a_look_around(site: Site) -> None:
    """More happened than it queues; the look would not have been due for an hour."""
    await site.watching()
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(limit):  # without a pause: nobody reads the queue meanwhile
        (site.inbox / f"{number % 50}.part").write_bytes(b"x")
    (site.inbox / "a.xml").write_bytes(b"x")
    await until(lambda: site.names == ["a.xml"])
    assert len(site.events("folder_events_lost")) >= 1


@ensureDeferred
async def test_what_is_copied_and_not_yet_received_stays_in_the_folder(site: Site) -> None:
    """Only when it is durable with us does it go; until then its owner still has it."""
    gate: defer.Deferred[None] = defer.Deferred()
    site.before_receipt = lambda upload: gate
    await site.watching()
    (site.elsewhere / "x").write_bytes(b"x")
    (site.elsewhere / "x").rename(site.inbox / "a.xml")
    await until(lambda: list(site.incoming.iterdir()))
    await a_while(0.05)
    assert site.left == ["a.xml"]
    gate.callback(None)
    await until(lambda: not site.left)


@ensureDeferred
async def test_a_file_that_grows_while_it_is_received_is_taken_again(site: Site) -> None:
    """What we have is durable, but it is not what lies there: nothing is lost."""

    def append(upload: Upload) -> None:
        if len(site.taken) == 0:
            with (site.inbox / "a.xml").open("ab") as file:
                file.write(b"+")

    site.before_receipt = append
    await site.watching()
    (site.inbox / "a.xml").write_bytes(b"x")
    await until(lambda: len(site.taken) == 2 and not site.left)
    assert [each.data for each in site.taken] == [b"x", b"x+"]
    assert site.names == ["a.xml", "a.xml"]


@ensureDeferred
async def test_a_file_that_takes_the_name_of_one_being_received_is_taken_too(site: Site) -> None:
    """Removing the first must not remove the second."""

    def replace(upload: Upload) -> None:
        if len(site.taken) == 0:
            (site.elsewhere / "x").write_bytes(b"second")
            (site.elsewhere / "x").rename(site.inbox / "a.xml")

    site.before_receipt = replace
    await site.watching()
    (site.inbox / "a.xml").write_bytes(b"first")
    await until(lambda: len(site.taken) == 2 and not site.left)
    assert [each.data for each in site.taken] == [b"first", b"second"]


@pytest.mark.parametrize("how", ["written", "replaced"])
def test_a_file_that_changes_while_it_is_copied_is_not_taken(site: Site, how: str) -> None:
    """The copy is thrown away."""
    (site.inbox / "a.xml").write_bytes(b"x" * 10)

    def meanwhile(size: int) -> None:
        if how == "written":
            with (site.inbox / "a.xml").open("ab") as file:
                file.write(b"+")
        else:
            (site.elsewhere / "x").write_bytes(b"y" * 10)
            (site.elsewhere / "x").rename(site.inbox / "a.xml")

    folder = WatchedFolder(site.inbox, None)
    with pytest.raises(FileChanged):
        folder.copy("a.xml", site.incoming, meanwhile, threading.Event())
    assert list(site.incoming.iterdir()) == []


@ensureDeferred
async def test_taken_files_may_be_kept_in_a_folder_of_their_own(site: Site) -> None:
    """Never over another one: the second of a name gets a suffix."""
    await site.watching(move_to=str(site.elsewhere))
    for data in (b"first", b"second", b"third"):
        (site.inbox / "a.xml").write_bytes(data)
        await until(lambda: not site.left)
    kept = sorted(site.elsewhere.iterdir())
    assert kept[0].name == "a.xml"
    assert all(path.name.startswith("a.xml") for path in kept)
    assert sorted(path.read_bytes() for path in kept) == [b"first", b"second", b"third"]


@ensureDeferred
async def test_a_file_that_cannot_be_read_is_left_and_said_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what an operator can do; when that is done it is taken."""
    opening = folder_files.open_regular
    refused = True

    def no_rights(inbox: int, place: str) -> int:
        if refused and place == "a.xml":
            raise PermissionError(13, "Permission denied")
        return opening(inbox, place)

    monkeypatch.setattr(folder_files, "open_regular", no_rights)
    (site.inbox / "a.xml").write_bytes(b"a")
    (site.inbox / "b.xml").write_bytes(b"b")
    site.watch(rescan_seconds=0.05)
    await until(lambda: site.names == ["b.xml"])
    await a_while(0.5)
    (complaint,) = site.events("folder_file_unusable")
    assert "'a.xml'" in complaint["error"]
    assert "umask" in complaint["remedy"]
    refused = False
    await until(lambda: site.names == ["b.xml", "a.xml"] and not site.left)


@ensureDeferred
async def test_a_file_that_cannot_be_removed_is_taken_in_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays, an operator is told, and it is removed when that is possible."""
    disposing = WatchedFolder.dispose
    refused = True

    def no_rights(self: WatchedFolder, place: str, identity: Any) -> bool:
        if refused:
            raise FolderUnusable("We cannot delete 'a.xml'.", remedy="Let us.")
        return disposing(self, place, identity)

    monkeypatch.setattr(WatchedFolder, "dispose", no_rights)
    (site.inbox / "a.xml").write_bytes(b"a")
    site.watch(rescan_seconds=0.05)
    await until(lambda: site.taken)
    await a_while(0.5)
    assert (site.names, site.left) == (["a.xml"], ["a.xml"])
    assert len(site.events("folder_file_not_removed")) == 1
    refused = False
    await until(lambda: not site.left)
    assert site.names == ["a.xml"]


RIGHTS = """
import os, sys, threading
from pathlib import Path
from gateway.errors import FolderUnusable
from gateway.service.folder_files import WatchedFolder
inbox, incoming = Path(sys.argv[1]), Path(sys.argv[2])
os.setuid(65534)
folder = WatchedFolder(inbox, None)
def attempt(what, *args):
    try:
        return what(*args)
    except FolderUnusable as error:
        print(error)
attempt(folder.copy, "secret.xml", incoming, lambda size: None, threading.Event())
copied = folder.copy("open.xml", incoming, lambda size: None, threading.Event())
attempt(folder.dispose, "open.xml", copied.identity)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_real_rights_of_another_user_are_told_with_their_remedy() -> None:
    """As a user who may neither read one file nor remove another."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to other users
        Path(folder).chmod(0o755)
        _two_files(Path(folder))


def _two_files(folder: Path) -> None:
    inbox, incoming = folder / "inbox", folder / "incoming"
    inbox.mkdir(mode=0o755)
    incoming.mkdir()
    incoming.chmod(0o777)
    (inbox / "secret.xml").write_bytes(b"x")
    (inbox / "secret.xml").chmod(0o600)
    (inbox / "open.xml").write_bytes(b"x")
    (inbox / "open.xml").chmod(0o644)
    done = subprocess.run(
        [sys.executable, "-c", RIGHTS, str(inbox), str(incoming)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    read, removed = done.stdout.splitlines()
    assert "cannot read 'secret.xml'" in read
    assert "umask of 027" in read
    assert "cannot delete 'open.xml'" in removed
    assert "group write" in removed
    assert (inbox / "open.xml").exists()


@ensureDeferred
async def test_a_refusing_intake_is_asked_again_after_growing_pauses(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Disk full: everything waits where it is, with one line in the log for each pause."""
    monkeypatch.setattr(folder_watch, "PAUSE_SECONDS", 0.05)
    site.refusals = [IntakeRefused("disk full") for _ in range(6)]
    for number in range(20):
        (site.inbox / f"{number}.xml").write_bytes(b"%d" % number)
    watch = site.watch(rescan_seconds=0.05)
    watch._pause = 0.05
    await until(lambda: len(site.taken) == 20 and not site.left)
    assert sorted(site.names) == sorted(f"{n}.xml" for n in range(20))
    pauses = [event["seconds"] for event in site.events("folder_waits")]
    assert pauses == sorted(pauses)
    assert 2 <= len(pauses) <= 6


@ensureDeferred
async def test_a_folder_that_is_not_there_is_said_and_awaited(site: Site) -> None:
    """Once; when it comes back it is watched again."""
    await site.watching(rescan_seconds=0.05)
    site.inbox.rename(site.elsewhere / "moved")
    await a_while(0.3)
    assert len(site.events("folder_unusable")) == 1
    site.inbox.mkdir()
    await until(lambda: not site.watches[0]._complaints)
    (site.inbox / "a.xml").write_bytes(b"x")
    await until(lambda: site.names == ["a.xml"] and not site.left)


@ensureDeferred
async def test_a_name_no_file_may_have_and_one_too_large_are_said_once(site: Site) -> None:
    """They stay where they are; the others are taken."""
    Path(os.fsdecode(os.fsencode(site.inbox) + b"/\xff\xfe.xml")).write_bytes(b"x")
    (site.inbox / "large.xml").write_bytes(b"x" * 101)
    (site.inbox / "a.xml").write_bytes(b"x" * 100)
    site.max_bytes = 100
    site.watch(rescan_seconds=0.05)
    await until(lambda: site.names == ["a.xml"])
    await a_while(0.3)
    assert len(site.events("folder_name_unusable")) == 1
    (complaint,) = site.events("folder_file_unusable")
    assert "101 bytes" in complaint["error"]


@ensureDeferred
async def test_stopping_ends_a_copy_and_takes_nothing_more(site: Site) -> None:
    """What was not received stays in the folder; no copy is left behind."""
    with (site.inbox / "large.xml").open("wb") as file:
        file.truncate(900_000_000)
    watch = site.watch()
    await until(lambda: list(site.incoming.iterdir()))
    await watch.stop(5)
    assert site.taken == []
    assert site.left == ["large.xml"]


# ---- with the real intake


@async_yield_fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An open house, closed afterwards."""
    folder = tmp_path / "state"
    folder.mkdir()
    opened = House(folder)
    await opened.open()
    yield opened
    for intake in opened.intakes:
        await intake.stop(1)
    await opened.journal.close()


def watches(house: House, site: Path, receive: Any) -> FolderWatches:
    """The gateway's watches, with one partner."""
    access = FolderAccess(
        inbox=str(site / "inbox"), out=str(site / "out"), quiet_seconds=QUIET, rescan_seconds=3600
    )
    return FolderWatches(
        reactor,
        partners={"acme": Partner(name="acme", folder=access)},
        spool=house.spool,
        max_file_bytes=1_000_000,
        min_free_mb=0,
        receive=receive,
        in_thread=deferToThread,
        log=structlog.get_logger(),
    )


@ensureDeferred
async def test_a_crash_after_receipt_and_before_removal_makes_no_second_interchange(
    house: House, tmp_path: Path
) -> None:
    """The next start takes the file in again and finds the interchange it already made."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.xml").write_bytes(b"<a/>")
    intake = await house.intake(FakeJudges(ACCEPTED))
    ids: list[str] = []
    crashed: defer.Deferred[str] = defer.Deferred()

    async def and_die(upload: Upload) -> str:
        ids.append(await intake.receive(upload, Transport.FOLDER))
        return await crashed

    first = watches(house, tmp_path, and_die)
    first.start()
    await until(lambda: ids)
    await first.stop(0.05)
    assert (tmp_path / "inbox" / "a.xml").exists()

    async def receive(upload: Upload) -> str:
        ids.append(await intake.receive(upload, Transport.FOLDER))
        return ids[-1]

    second = watches(house, tmp_path, receive)
    second.start()
    await until(lambda: not (tmp_path / "inbox" / "a.xml").exists())
    await second.stop(1)
    assert len(ids) == 2
    assert ids[0] == ids[1]
    row = await house.reaches(ids[0], "settled")
    assert row.transport == "folder"


@ensureDeferred
async def test_a_crash_while_it_is_removed_makes_no_second_interchange(
    house: House, tmp_path: Path
) -> None:
    """It lies in our folder within the inbox then, and is taken in from there."""
    private = tmp_path / "inbox" / PRIVATE
    private.mkdir(parents=True)
    intake = await house.intake(FakeJudges(ACCEPTED))
    first = await intake.receive(house.arrival("a.xml", b"<a/>"), Transport.FOLDER)
    (private / "a.xml").write_bytes(b"<a/>")
    ids: list[str] = []

    async def receive(upload: Upload) -> str:
        ids.append(await intake.receive(upload, Transport.FOLDER))
        return ids[-1]

    watching = watches(house, tmp_path, receive)
    watching.start()
    await until(lambda: not list(private.iterdir()))
    await watching.stop(1)
    assert ids == [first]


@ensureDeferred
async def test_the_report_is_put_where_the_other_program_looks(
    house: House, tmp_path: Path
) -> None:
    """Whole, under its name, readable for the folder's group whatever our umask."""
    (tmp_path / "inbox").mkdir()
    out = tmp_path / "out"
    out.mkdir()
    intake = await house.intake(FakeJudges(ACCEPTED))
    id_ = await intake.receive(house.arrival("a.xml", b"<a/>"), Transport.FOLDER)
    await house.reaches(id_, "settled")
    rows = {row.destination: row for row in await house.outbox(id_, "report")}
    watching = watches(house, tmp_path, None)
    before = os.umask(0o077)
    try:
        await watching.deliver(rows["folder"])
        await watching.deliver(rows["folder"])
    finally:
        os.umask(before)
    (report,) = out.iterdir()
    assert report.name == rows["folder"].filename
    assert report.read_bytes() == rows["folder"].body
    assert report.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("partner", "fails"),
    [
        (Partner(name="acme", folder=FolderAccess(inbox="/nowhere")), None),
        (Partner(name="acme"), "no \\[folder\\] any more"),
        (Partner(name="acme", folder=FolderAccess(inbox="/i", out="/nowhere")), "Create the fol"),
    ],
    ids=["no out", "no folder", "out is missing"],
)
@ensureDeferred
async def test_without_an_out_the_report_counts_as_delivered_and_else_it_waits(
    house: House, partner: Partner, fails: str | None
) -> None:
    """RabbitMQ has it in any case; what cannot be put where it was asked for waits."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    id_ = await intake.receive(house.arrival("a.xml", b"<a/>"), Transport.FOLDER)
    await house.reaches(id_, "settled")
    (row,) = [r for r in await house.outbox(id_, "report") if r.destination == "folder"]
    watching = FolderWatches(
        reactor,
        partners={"acme": partner},
        spool=house.spool,
        max_file_bytes=1,
        min_free_mb=0,
        receive=intake.receive,  # type: ignore[arg-type]  # never called here
        in_thread=deferToThread,
        log=structlog.get_logger(),
    )
    if fails is None:
        await watching.deliver(row)
    else:
        with pytest.raises(DeliveryFailed, match=fails):
            await watching.deliver(row)


def test_an_acknowledgement_replaces_a_link_rather_than_following_it(tmp_path: Path) -> None:
    """The folder belongs to another user, who could put one there."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    out = tmp_path / "out"
    out.mkdir()
    (out / "r.xml").symlink_to(victim)
    put_acknowledgement(out, "r.xml", b"report")
    assert victim.read_bytes() == b"precious"
    assert (out / "r.xml").read_bytes() == b"report"
    assert [path.name for path in out.iterdir()] == ["r.xml"]


def test_the_spool_is_what_copies_are_made_for(tmp_path: Path) -> None:
    """A copy is adopted by the spool as it is: same file system, fsynced, hash known."""
    spool = Spool(tmp_path / "spool")
    spool.prepare()
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.xml").write_bytes(b"<a/>")
    copied = WatchedFolder(inbox, None).copy(
        "a.xml", spool.incoming, lambda size: None, threading.Event()
    )
    spool.adopt(copied.path, copied.sha256, copied.size)
    assert spool.path(copied.sha256).read_bytes() == b"<a/>"


def test_what_a_crash_left_of_an_acknowledgement_goes_with_the_next_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing unfinished stays in a folder that is another program's."""
    out = tmp_path / "out"
    out.mkdir()

    def killed(*_: object, **__: object) -> None:
        raise KilledHere

    with monkeypatch.context() as patch:
        patch.setattr("gateway.durable.os.rename", killed)
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # a killed process cleans nothing up
        with pytest.raises(KilledHere):
            put_acknowledgement(out, "r.xml", b"half a rep")
    assert len(list(out.iterdir())) == 1
    put_acknowledgement(out, "r.xml", b"report")
    assert [(path.name, path.read_bytes()) for path in out.iterdir()] == [("r.xml", b"report")]


class KilledHere(BaseException):
    """The process ended at this point."""
