"""A partner's `in/`: what is taken in, what stays a partial, and what clients see of it."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from gateway.config.settings import Sftp
from gateway.errors import SpoolError
from gateway.service.sftp_server import handover
from gateway.service.sftp_server import incoming as incoming_module
from gateway.service.sftp_server.expiry import sweep
from gateway.service.sftp_server.handover import Receipt
from gateway.service.sftp_server.incoming import NOTED_BYTES, Incoming
from gateway.service.sftp_server.notes import Note, Notes, Standing, key_of
from gateway.service.sftp_server.protocol import OpenFlag, Status
from gateway.service.sftp_server.refusal import NO_SPACE, Refused
from gateway.spool import Spool

PUT = OpenFlag.WRITE | OpenFlag.CREATE | OpenFlag.TRUNCATE
RESUME = OpenFlag.WRITE | OpenFlag.CREATE
DAY = 86_400.0


@dataclass(frozen=True)
class Answer:
    """As the daemon gives it."""

    granted: str | None
    reason: str = ""


ACCEPTED = Answer("interchange-1")
REFUSED = Answer(None, "not received: the disk is full")


@dataclass
class Intake:
    """Plays the daemon: looks at what is in the spool, and answers as told."""

    spool: Spool
    answer: Answer | None = ACCEPTED
    files: list[tuple[str, bytes]] = field(default_factory=list)
    """Name and content of everything taken in."""
    late: Callable[[Receipt], None] | None = None

    def ask(
        self, name: str, sha256: str, size: int, late: Callable[[Receipt], None]
    ) -> Receipt | None:
        """Check what is handed over."""
        self.late = late
        assert self.spool.verify(sha256) == size
        if self.answer is not None and self.answer.granted is not None:
            self.files.append((name, self.spool.path(sha256).read_bytes()))
        return self.answer

    def holds(self, content: bytes) -> bool:
        """Whether these bytes are in the spool."""
        return self.spool.path(hashlib.sha256(content).hexdigest()).is_file()


@pytest.fixture(autouse=True)
def _do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming_module, "LOCK_WAIT_SECONDS", 0.0)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    made.prepare()
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


@pytest.fixture
def intake(spool: Spool) -> Intake:
    return Intake(spool)


@pytest.fixture
def make(folder: Path, spool: Spool, intake: Intake) -> Callable[..., Incoming]:
    def build(*, require_rename: bool = False, **settings: Any) -> Incoming:
        return Incoming(
            folder,
            settings=Sftp(**settings),
            require_rename=require_rename,
            spool=spool,
            receipts=intake,
            log=CapturingLogger(),
        )

    return build


def alive() -> bool:
    return True


def gone() -> bool:
    return False


def put(
    incoming: Incoming, name: str, content: bytes, *, flags: OpenFlag = PUT, offset: int = 0
) -> None:
    upload = incoming.open(name, flags)
    upload.written.write(offset, content)
    upload.close(alive)


def cut_off(incoming: Incoming, name: str, content: bytes) -> None:
    upload = incoming.open(name, PUT)
    upload.written.write(0, content)
    upload.abandon()


def names(incoming: Incoming) -> list[tuple[str, int]]:
    return [(name, seen.size) for name, seen in incoming.notes.listing()]


def refusal(work: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as caught:
        work()
    return caught.value


def test_the_close_of_a_final_name_takes_the_file_in(
    make: Callable[..., Incoming], intake: Intake
) -> None:
    """And then the name is there at full size, without any bytes of ours."""
    incoming = make()
    put(incoming, "a.xml", b"<a/>")
    assert intake.files == [("a.xml", b"<a/>")]
    assert names(incoming) == [("a.xml", 4)]
    assert incoming.notes.part_size("a.xml") is None


def test_an_empty_file_is_a_file(make: Callable[..., Incoming], intake: Intake) -> None:
    """It is taken in and judged (XML-EMPTY): its sender shall read a finding."""
    incoming = make()
    incoming.open("empty.xml", PUT).close(alive)
    assert intake.files == [("empty.xml", b"")]


@pytest.mark.parametrize("name", ["a.xml.part", "a.filepart", "A.TMP", ".a.xml"])
def test_a_temporary_name_is_taken_in_by_its_rename(
    make: Callable[..., Incoming], intake: Intake, name: str
) -> None:
    """The close alone is no signal."""
    incoming = make()
    put(incoming, name, b"<a/>")
    assert intake.files == []
    assert names(incoming) == [(name, 4)]
    incoming.rename(name, "a.xml", alive)
    assert intake.files == [("a.xml", b"<a/>")]
    assert names(incoming) == [("a.xml", 4)]


def test_a_cut_off_file_is_never_taken_in(make: Callable[..., Incoming], intake: Intake) -> None:
    """Not by the session's end, and not by a rename: it has to be completed first."""
    incoming = make()
    cut_off(incoming, "a.xml", b"<a>")
    cut_off(incoming, "b.part", b"<b>")
    assert "not completed" in refusal(lambda: incoming.rename("b.part", "b.xml", alive)).text
    assert (
        refusal(lambda: incoming.rename("a.xml", "c.xml", alive)).status is Status.PERMISSION_DENIED
    )
    incoming.rename("a.xml", "a.part", alive)
    assert "not completed" in refusal(lambda: incoming.rename("a.part", "c.xml", alive)).text
    assert intake.files == []


def test_a_session_that_ended_during_the_close_delivers_nothing(
    make: Callable[..., Incoming], intake: Intake
) -> None:
    """Whoever left before the answer counts on nothing, and will resume."""
    incoming = make()
    upload = incoming.open("a.xml", PUT)
    upload.written.write(0, b"<a/>")
    assert "session ended" in refusal(lambda: upload.close(gone)).text
    assert intake.files == []
    assert names(incoming) == [("a.xml", 3)]


def test_a_partial_always_leaves_its_sender_a_byte_to_send(
    make: Callable[..., Incoming], intake: Intake
) -> None:
    """Cut off after the last byte and before the close, the file must not look complete."""
    incoming = make()
    cut_off(incoming, "a.xml", b"<a/>")
    assert names(incoming) == [("a.xml", 3)]
    put(incoming, "a.xml", b">", flags=RESUME, offset=3)
    assert intake.files == [("a.xml", b"<a/>")]


def test_a_resumed_upload_is_taken_in_whole(make: Callable[..., Incoming], intake: Intake) -> None:
    """By offset, and by appending as OpenSSH does."""
    incoming = make()
    cut_off(incoming, "a.xml", b"<aaa>")
    put(incoming, "a.xml", b"></aaa>", flags=RESUME, offset=4)
    cut_off(incoming, "b.xml", b"<bbb>")
    put(incoming, "b.xml", b"></bbb>", flags=RESUME | OpenFlag.APPEND, offset=4)
    assert intake.files == [("a.xml", b"<aaa></aaa>"), ("b.xml", b"<bbb></bbb>")]


def test_a_temporary_name_shows_all_its_bytes(
    make: Callable[..., Incoming], intake: Intake
) -> None:
    """Its close is not the signal, so a client that finds it complete may go on to rename."""
    incoming = make()
    cut_off(incoming, "a.part", b"<a/>")
    assert names(incoming) == [("a.part", 4)]
    incoming.open("a.part", RESUME).close(alive)
    incoming.rename("a.part", "a.xml", alive)
    assert intake.files == [("a.xml", b"<a/>")]


def test_what_was_refused_is_not_shown(make: Callable[..., Incoming], intake: Intake) -> None:
    """A client that ignores the failed close and looks at the size must not find it right."""
    incoming = make()
    intake.answer = REFUSED
    assert refusal(lambda: put(incoming, "a.xml", b"<a/>")).text == REFUSED.reason
    assert names(incoming) == []
    assert refusal(lambda: incoming.see("a.xml")).status is Status.NO_SUCH_FILE
    intake.answer = ACCEPTED
    put(incoming, "a.xml", b"<b/>")
    assert intake.files == [("a.xml", b"<b/>")]


def test_a_refused_rename_leaves_the_temporary_name(
    make: Callable[..., Incoming], intake: Intake
) -> None:
    """So that the same rename can be tried again; and what is in the spool stays as it is."""
    incoming = make()
    put(incoming, "a.part", b"<a/>")
    intake.answer = REFUSED
    assert refusal(lambda: incoming.rename("a.part", "a.xml", alive)).text == REFUSED.reason
    assert names(incoming) == [("a.part", 4)]
    put(incoming, "a.part", b"><!-- -->", flags=RESUME, offset=3)
    assert intake.holds(b"<a/>")
    put(incoming, "a.part", b"<a/>")
    intake.answer = ACCEPTED
    incoming.rename("a.part", "a.xml", alive)
    assert intake.files == [("a.xml", b"<a/>")]


def test_a_refused_rename_of_a_large_file_takes_no_more_room(
    make: Callable[..., Incoming], intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of it could be what fills the disk: it has to be sent again."""
    monkeypatch.setattr(handover, "GIVEN_BACK_BYTES", 3)
    incoming = make()
    put(incoming, "a.part", b"<a/>")
    intake.answer = REFUSED
    assert refusal(lambda: incoming.rename("a.part", "a.xml", alive)).text == REFUSED.reason
    assert names(incoming) == []
    assert incoming.notes.part_size("a.part") is None


def test_without_an_answer_the_client_hears_failure(
    make: Callable[..., Incoming], intake: Intake
) -> None:
    """And a resend cannot touch the bytes that the daemon may still be taking in."""
    incoming = make()
    intake.answer = None
    assert "send it again" in refusal(lambda: put(incoming, "a.xml", b"<first/>")).text
    assert names(incoming) == []
    late = intake.late
    intake.answer = ACCEPTED
    put(incoming, "a.xml", b"<second/>")
    assert intake.holds(b"<first/>")
    assert late is not None
    late(ACCEPTED)
    assert intake.files == [("a.xml", b"<second/>")]


def test_a_late_yes_makes_the_name_visible(make: Callable[..., Incoming], intake: Intake) -> None:
    """A client that looks again finds its file."""
    incoming = make()
    intake.answer = None
    refusal(lambda: put(incoming, "a.xml", b"<a/>"))
    assert intake.late is not None
    intake.late(ACCEPTED)
    assert names(incoming) == [("a.xml", 4)]


def test_a_late_no_keeps_the_bytes_of_a_rename(
    make: Callable[..., Incoming], intake: Intake
) -> None:
    """The temporary name is back, to be renamed again."""
    incoming = make()
    put(incoming, "a.part", b"<a/>")
    intake.answer = None
    refusal(lambda: incoming.rename("a.part", "a.xml", alive))
    assert names(incoming) == []
    assert intake.late is not None
    intake.late(REFUSED)
    assert names(incoming) == [("a.part", 4)]


def test_a_late_no_does_not_disturb_the_next_upload(
    make: Callable[..., Incoming], intake: Intake
) -> None:
    """The name is locked by its new upload, of which nothing changes."""
    incoming = make()
    intake.answer = None
    refusal(lambda: put(incoming, "a.xml", b"<old/>"))
    upload = incoming.open("a.xml", PUT)
    upload.written.write(0, b"<new/>")
    assert intake.late is not None
    intake.late(REFUSED)
    intake.answer = ACCEPTED
    upload.close(alive)
    assert intake.files == [("a.xml", b"<new/>")]


def test_a_partner_that_must_rename_delivers_by_rename_only(
    make: Callable[..., Incoming], intake: Intake
) -> None:
    """A file closed under its final name waits, at full size; its close succeeds."""
    incoming = make(require_rename=True)
    put(incoming, "a.xml", b"<a/>")
    put(incoming, "b.part", b"<b/>")
    assert intake.files == []
    assert names(incoming) == [("a.xml", 4), ("b.part", 4)]
    incoming.rename("b.part", "b.xml", alive)
    assert refusal(lambda: incoming.rename("a.xml", "c.xml", alive)).text.startswith("only a temp")
    incoming.rename("a.xml", "a.part", alive)
    incoming.rename("a.part", "a.xml", alive)
    assert intake.files == [("b.xml", b"<b/>"), ("a.xml", b"<a/>")]


def test_one_session_at_a_time_works_on_a_name(
    make: Callable[..., Incoming], intake: Intake, folder: Path
) -> None:
    """The second one is refused, in this process; it may have the name once it is free."""
    incoming = make()
    upload = incoming.open("a.xml", PUT)
    for attempt in (
        lambda: incoming.open("a.xml", PUT),
        lambda: incoming.remove("a.xml"),
        lambda: incoming.rename("a.xml", "a.part", alive),
        lambda: incoming.truncate("a.xml", 0),
    ):
        assert "another session" in refusal(attempt).text
    upload.close(alive)
    put(incoming, "a.xml", b"<a/>")
    assert intake.files == [("a.xml", b""), ("a.xml", b"<a/>")]


def test_the_lock_holds_between_processes(make: Callable[..., Incoming], folder: Path) -> None:
    """Sessions of one partner are spread over several SFTP processes."""
    incoming = make()
    upload = incoming.open("a.xml", PUT)
    child = os.fork()
    if child == 0:  # pragma: no cover
        # POSIX locks are not inherited: this is a process like any other.
        other = make()
        taken = other.locks.take(key_of("a.xml")), other.locks.take(key_of("b.xml"))
        os._exit(0 if taken == (False, True) else 1)
    assert os.waitpid(child, 0)[1] == 0
    upload.abandon()


def test_what_was_received_cannot_be_withdrawn(
    make: Callable[..., Incoming], intake: Intake
) -> None:
    """A client told "removed" would believe that the invoice is not processed."""
    incoming = make()
    put(incoming, "a.xml", b"<a/>")
    for attempt in (
        lambda: incoming.remove("a.xml"),
        lambda: incoming.rename("a.xml", "a.part", alive),
        lambda: incoming.truncate("a.xml", 0),
    ):
        refused = refusal(attempt)
        assert refused.status is Status.PERMISSION_DENIED
        assert "received already" in refused.text
    assert "received already" in refusal(lambda: incoming.open("a.xml", RESUME)).text
    put(incoming, "a.xml", b"<a/>")
    assert intake.files == [("a.xml", b"<a/>")] * 2


def test_a_partial_can_be_removed_and_shortened(make: Callable[..., Incoming]) -> None:
    """By what its sender sees of it."""
    incoming = make()
    cut_off(incoming, "a.xml", b"<aaaa/>")
    incoming.truncate("a.xml", 2)
    assert names(incoming) == [("a.xml", 2)]
    assert refusal(lambda: incoming.truncate("a.xml", 9)).status is Status.OP_UNSUPPORTED
    incoming.remove("a.xml")
    assert names(incoming) == []
    assert refusal(lambda: incoming.remove("a.xml")).status is Status.NO_SUCH_FILE


def test_open_flags_are_honoured(make: Callable[..., Incoming]) -> None:
    """Without CREATE a file must exist, with EXCLUSIVE it must not."""
    incoming = make()
    assert refusal(lambda: incoming.open("a", OpenFlag.WRITE)).status is Status.NO_SUCH_FILE
    cut_off(incoming, "a", b"123")
    assert "is a file" in refusal(lambda: incoming.open("a", PUT | OpenFlag.EXCLUSIVE)).text


def test_a_write_that_failed_makes_the_close_and_the_rename_fail(
    make: Callable[..., Incoming], intake: Intake
) -> None:
    """A client that swallows errors and renames delivers nothing truncated."""
    incoming = make(max_file_bytes=4)
    upload = incoming.open("a.part", PUT)
    upload.written.write(0, b"1234")
    refusal(lambda: upload.written.write(4, b"5"))
    assert "larger" in refusal(lambda: upload.close(alive)).text
    assert "not completed" in refusal(lambda: incoming.rename("a.part", "a.xml", alive)).text
    assert intake.files == []


def test_bytes_that_could_not_be_synced_are_not_built_upon(
    make: Callable[..., Incoming], intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed fsync the kernel may forget what it holds, silently."""
    incoming = make()
    upload = incoming.open("a.xml", PUT)
    upload.written.write(0, b"<a/>")

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        assert "made durable" in refusal(lambda: upload.close(alive)).text
    assert names(incoming) == []
    assert intake.files == []


@pytest.mark.parametrize("by_rename", [False, True])
def test_bytes_are_synced_before_they_are_handed_over(
    make: Callable[..., Incoming],
    intake: Intake,
    spool: Spool,
    monkeypatch: pytest.MonkeyPatch,
    by_rename: bool,
) -> None:
    """Whoever hears of the file may rely on it after a power cut: on its bytes, and its name."""
    incoming = make()
    synced: list[int] = []
    at_hand_over: list[bool] = []
    real_sync, real_ask = os.fsync, intake.ask

    def sync(descriptor: int) -> None:
        real_sync(descriptor)
        synced.append(os.fstat(descriptor).st_ino)

    def ask(name: str, sha256: str, *rest: Any) -> Receipt | None:
        stored = spool.path(sha256)
        at_hand_over.append(synced == [stored.stat().st_ino, stored.parent.stat().st_ino])
        return real_ask(name, sha256, *rest)

    monkeypatch.setattr(intake, "ask", ask)
    monkeypatch.setattr(os, "fsync", sync)
    put(incoming, "a.part" if by_rename else "a.xml", b"<a/>")
    if by_rename:
        incoming.rename("a.part", "a.xml", alive)
    assert at_hand_over == [True]


def test_accepted_names_disappear_after_their_time(
    make: Callable[..., Incoming], folder: Path
) -> None:
    """At once for clients, and from the disk with the next sweep."""
    incoming = make(accepted_visible_seconds=0)
    put(incoming, "a.xml", b"<a/>")
    assert names(incoming) == []
    expire(incoming, visible_seconds=0.0)
    assert [each.name for each in folder.iterdir()] == ["locks"]


def expire(incoming: Incoming, *, visible_seconds: float = 600.0) -> None:
    out = incoming.notes.folder.parent
    sweep(
        incoming.notes,
        incoming.locks,
        out,
        visible_seconds=visible_seconds,
        expiry_seconds=DAY,
        log=CapturingLogger(),
    )


def test_partials_expire_unless_somebody_works_on_them(
    make: Callable[..., Incoming], folder: Path
) -> None:
    """By the time of their last byte; what is younger, accepted or open stays."""
    incoming = make()
    for name in ("old.xml", "old.part", "young.xml"):
        cut_off(incoming, name, b"123")
    put(incoming, "accepted.xml", b"123")
    open_one = incoming.open("open.xml", PUT)
    open_one.write(0, b"x" * NOTED_BYTES)
    for path in folder.iterdir():
        if not path.name.startswith(key_of("young.xml")):
            os.utime(path, (1e9, 1e9))
    expire(incoming)
    assert names(incoming) == [("accepted.xml", 3), ("open.xml", NOTED_BYTES - 1), ("young.xml", 2)]
    expire(incoming)
    assert incoming.notes.part_size("old.xml") is None
    open_one.abandon()


def test_a_crash_before_the_answer_leaves_nothing_in_the_way(
    make: Callable[..., Incoming], intake: Intake
) -> None:
    """The client heard nothing, so it sends the file again."""
    incoming = make()
    intake.answer = None
    refusal(lambda: put(incoming, "a.xml", b"<a/>"))
    after = make()
    assert names(after) == []
    intake.answer = ACCEPTED
    put(after, "a.xml", b"<a/>")
    assert intake.files == [("a.xml", b"<a/>")]
    assert names(after) == [("a.xml", 4)]


def test_a_spool_that_cannot_take_a_file_refuses_it(
    make: Callable[..., Incoming], intake: Intake, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client hears why, the daemon hears nothing, and the partial can be sent on."""
    incoming = make()

    def full(*_: object) -> Path:
        raise SpoolError("The spool could not take it over.") from OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as broken:
        broken.setattr(spool, "adopt", full)
        assert refusal(lambda: put(incoming, "a.xml", b"<a/>")).text == NO_SPACE
    assert intake.late is None
    assert names(incoming) == [("a.xml", 3)]
    put(incoming, "a.xml", b">", flags=RESUME, offset=3)
    assert intake.files == [("a.xml", b"<a/>")]


def test_a_refused_rename_that_cannot_be_undone_says_no_all_the_same(
    make: Callable[..., Incoming], intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without room for a copy the temporary name is gone, and has to be sent again."""
    incoming = make()
    put(incoming, "a.part", b"<a/>")
    intake.answer = REFUSED

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as broken:
        broken.setattr(shutil, "copyfile", full)
        assert refusal(lambda: incoming.rename("a.part", "a.xml", alive)).text == REFUSED.reason
    assert names(incoming) == []
    intake.answer = ACCEPTED
    put(incoming, "a.part", b"<a/>")
    incoming.rename("a.part", "a.xml", alive)
    assert intake.files == [("a.xml", b"<a/>")]


def test_an_upload_shows_once_it_is_worth_resuming(
    make: Callable[..., Incoming], folder: Path
) -> None:
    """Before, its name costs nothing; whatever end it comes to, a partial is there to be seen."""
    incoming = make()
    upload = incoming.open("a.xml", PUT)
    upload.write(0, b"x" * (NOTED_BYTES - 1))
    assert names(incoming) == []
    upload.write(NOTED_BYTES - 1, b"x")
    assert names(make()) == [("a.xml", NOTED_BYTES - 1)]
    upload.abandon()
    incomplete = incoming.open("b.xml", PUT)
    incomplete.write(5, b"x")
    assert "missing" in refusal(lambda: incomplete.close(alive)).text
    assert names(incoming) == [("a.xml", NOTED_BYTES - 1), ("b.xml", 0)]


def test_a_small_upload_that_a_crash_cut_off_is_begun_anew(
    make: Callable[..., Incoming], intake: Intake
) -> None:
    """What is left of it shows to nobody, and is not mixed with what is sent next."""
    before = make()
    upload = before.open("a.xml", PUT)
    upload.write(0, b"<longer/>")
    after = make()
    assert names(after) == []
    assert refusal(lambda: after.open("a.xml", OpenFlag.WRITE)).status is Status.NO_SUCH_FILE
    upload.written.close()
    before.locks.give_back(key_of("a.xml"))
    put(after, "a.xml", b"<a/>")
    assert intake.files == [("a.xml", b"<a/>")]


def test_a_damaged_note_is_no_note(make: Callable[..., Incoming], intake: Intake) -> None:
    """A note cut short by a crash hides the name until it is sent again."""
    incoming = make()
    cut_off(incoming, "a.xml", b"<a/>")
    (incoming.notes.folder / f"{key_of('a.xml')}.json").write_bytes(b'{"name": "a.x')
    assert names(incoming) == []
    put(incoming, "a.xml", b"<b/>")
    assert intake.files == [("a.xml", b"<b/>")]


def test_names_never_become_paths(make: Callable[..., Incoming], folder: Path) -> None:
    """On disk there are hashes only, whatever the name."""
    incoming = make()
    for name in ("..\\..\\windows", "é" * 127, "$(reboot)", "-rf", "a\u202eb"):
        cut_off(incoming, name, b"x")
    allowed = set("0123456789abcdef")
    for path in folder.iterdir():
        assert path.name == "locks" or set(path.name.partition(".")[0]) <= allowed
    assert len(names(incoming)) == 5


def test_notes_remember_how_things_stand(tmp_path: Path) -> None:
    """A note read back is the note written."""
    notes = Notes(tmp_path, visible_seconds=1)
    assert notes.read("a") is None
    note = Note('a"\\é', Standing.ACCEPTED, 5, "id", 7.5)
    notes.write(note)
    assert notes.read(note.name) == note
    notes.forget(note.name)
    assert notes.read(note.name) is None
