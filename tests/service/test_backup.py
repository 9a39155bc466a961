"""A backup holds all that was there at one moment, or it is none; a restore gives it back whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from gateway import faults
from gateway.cli.main import main
from gateway.errors import BackupFailed, ConfigurationError, JournalError, SpoolHeld
from gateway.faults import Faults, When
from gateway.service.backup import complete, make_backup, restore, verify
from gateway.service.backup.copying import Copier
from gateway.service.backup.journal_copy import copy_journal
from gateway.service.backup.layout import opened, read_manifest
from gateway.service.journal import Journal, open_reader, records
from gateway.service.journal.lock import StateLock
from gateway.service.journal.schema import UNDER_RESTORE
from gateway.spool import Spool
from tests.state_directory import StateDirectory, contents


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where backups go."""
    return tmp_path / "backups"


def backed_up(state: StateDirectory, folder: Path, *, keep: int | None = None) -> Path:
    """A backup that was just made."""
    return Path(make_backup(state.path, folder, version="1", keep=keep).backup)


def rows(journal: Path) -> list[str]:
    """The interchanges a journal holds."""
    engine = open_reader(journal)
    with engine.connect() as conn:
        found = [row.id for row in records.list_interchanges(conn)]
    engine.dispose()
    return sorted(found)


# ---- what is in it


def test_a_restored_state_holds_what_was_backed_up(
    state: StateDirectory, folder: Path, tmp_path: Path
) -> None:
    """Journal, payloads, keys and acknowledgements; private; what came later is not there."""
    upload = state.path / "sftp" / "acme" / "in" / "x.part"
    upload.parent.mkdir(parents=True)
    upload.write_bytes(b"under way")
    before = [each.id for each in state.received]
    backup = backed_up(state, folder)
    late = state.receive(b"<late/>", 9)
    new = tmp_path / "new"
    done = restore(backup, new)
    assert rows(new / "journal.sqlite") == before
    for each in state.received:
        assert Spool(new / "spool").verify(each.sha256) == each.size
    assert not Spool(new / "spool").path(late.sha256).exists()
    kept = contents(state.path)
    expected = {name: kept[name] for name in kept if name.startswith(("keys/", "sftp/acme/out/"))}
    assert expected
    assert contents(new).items() >= expected.items()
    assert not (new / "sftp" / "acme" / "in").exists()
    assert done.manifest.payloads == 3
    assert done.lost == ()
    modes = {stat.S_IMODE(path.stat().st_mode) & 0o007 for path in [new, *new.rglob("*")]}
    assert modes == {0}


def test_no_number_is_given_to_two_steps(
    state: StateDirectory, folder: Path, tmp_path: Path
) -> None:
    """Steps after the backup had numbers, and events their ids: the restored journal uses none."""
    last = "SELECT max(id) FROM transitions"
    backup = backed_up(state, folder)
    state.receive(b"<told of, then lost/>", 7)
    lost = state.write(lambda conn: conn.exec_driver_sql(last).scalar_one())
    restore(backup, tmp_path / "new")
    state.close()
    again = StateDirectory(tmp_path / "again", template=tmp_path / "new")
    assert again.write(lambda conn: conn.exec_driver_sql(last).scalar_one()) == lost - 1
    again.receive(b"<another step/>", 8)
    assert again.write(lambda conn: conn.exec_driver_sql(last).scalar_one()) > lost + 10**6
    again.close()


def test_a_second_backup_copies_no_payload_again(state: StateDirectory, folder: Path) -> None:
    """What is there stays, what is new comes; each backup is whole by itself."""
    first = make_backup(state.path, folder, version="1")
    assert (sum(first.new.values()), first.kept) == (3, 0)
    state.receive(b"<fourth/>", 4)
    second = make_backup(state.path, folder, version="1")
    assert (sum(second.new.values()), second.kept) == (1, 3)
    assert [str(each) for each in complete(folder)] == [first.backup, second.backup]
    assert verify(Path(first.backup)).manifest.payloads == 3
    assert verify(Path(second.backup)).manifest.payloads == 4


def test_on_another_file_system_payloads_are_copied_and_compared(
    state: StateDirectory, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are neither clones nor links; what the spool has altered is not passed on."""
    monkeypatch.setattr(Copier, "_cloned", lambda *_: None)
    monkeypatch.setattr(Copier, "_linked", lambda *_: None)
    ill = state.spool.path(state.received[1].sha256)
    ill.write_bytes(ill.read_bytes()[::-1])
    made = make_backup(state.path, folder, version="1")
    assert made.new == {"copied": 2}
    assert made.manifest.missing == (state.received[1].sha256,)
    assert verify(Path(made.backup)).manifest.payloads == 2
    target = folder / "payloads" / state.received[0].sha256[:2] / state.received[0].sha256
    assert target.stat().st_ino != state.spool.path(state.received[0].sha256).stat().st_ino
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_coreutils_can_verify_a_backup(state: StateDirectory, folder: Path) -> None:
    """Without this program; also a file whose name has a line break in it."""
    odd = state.path / "directory" / "a\nb\\c"
    odd.parent.mkdir()
    odd.write_bytes(b"odd")
    backup = backed_up(state, folder)
    assert verify(backup).manifest.files == 7
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"],
        cwd=backup,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_old_backups_go_with_the_payloads_that_only_they_hold(
    state: StateDirectory, folder: Path
) -> None:
    """`--keep 1` after something was purged: its payload is gone, the others stay."""
    first = backed_up(state, folder)
    gone = state.received[0].sha256
    state.write(lambda conn: records.release_payload(conn, gone))
    made = make_backup(state.path, folder, version="1", keep=1)
    assert made.removed == (str(first),)
    assert not first.exists()
    left = {path.name for path in (folder / "payloads").rglob("*") if path.is_file()}
    assert left == {each.sha256 for each in state.received[1:]}
    assert verify(Path(made.backup)).manifest.payloads == 2


def test_the_journal_is_copied_as_of_one_commit(state: StateDirectory, tmp_path: Path) -> None:
    """While the copy is made, commits come in between its steps: none of them is in it, in part."""
    state.write(lambda conn: conn.exec_driver_sql("CREATE TABLE filling (a, b)"))
    state.write(
        lambda conn: conn.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)"
            " INSERT INTO filling SELECT i, randomblob(2000) FROM n"
        )
    )
    told = []

    def meanwhile(what: str, done: int, total: int) -> None:
        told.append((what, done, total))
        state.write(lambda conn: conn.exec_driver_sql("UPDATE filling SET a = a + 1"))

    copy = tmp_path / "copy.sqlite"
    copy_journal(state.journal, copy, meanwhile)
    assert len(told) > 1
    with contextlib.closing(sqlite3.connect(copy)) as found:
        assert found.execute("SELECT min(a), max(a) FROM filling").fetchone() == (1, 6000)
    assert copy.with_name("copy.sqlite-wal").exists() is False


# ---- nothing goes meanwhile


def test_nothing_is_removed_from_the_spool_while_it_is_held(state: StateDirectory) -> None:
    """Neither discarded nor swept, and two do not hold it at once; afterwards it goes."""
    sha256 = state.received[0].sha256
    with state.spool.hold_all():
        with pytest.raises(SpoolHeld):
            state.spool.discard(sha256)
        with pytest.raises(SpoolHeld):
            state.spool.discard_older(sha256, 4e9)
        with pytest.raises(SpoolHeld), state.spool.hold_all(patience=0.1):
            pass
        assert state.spool.path(sha256).exists()
    state.spool.discard(sha256)
    assert not state.spool.path(sha256).exists()


def test_whoever_dies_holding_it_holds_it_no_more(state: StateDirectory) -> None:
    """The kernel lets go: no lock is left that somebody would have to remove."""

    def hold_and_die() -> None:
        with state.spool.hold_all():
            os.kill(os.getpid(), signal.SIGKILL)

    assert killed(hold_and_die)
    state.spool.discard(state.received[0].sha256)


def test_the_whole_backup_holds_the_spool(
    state: StateDirectory, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From before the journal is copied until after the last payload."""
    seen = []

    def look(what: str, *_: int) -> None:
        with pytest.raises(SpoolHeld):
            state.spool.discard(state.received[0].sha256)
        seen.append(what)

    make_backup(state.path, folder, version="1", progress=look)
    assert {"journal", "payloads"} <= set(seen)


# ---- what goes wrong


def test_payloads_that_the_spool_lacks_are_told(
    state: StateDirectory, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The backup is made all the same, and ends with 1; so does its restore."""
    gone = state.received[2].sha256
    state.spool.discard(gone)
    words = ["--state-dir", str(state.path)]
    assert main(["backup", str(folder), *words]) == 1
    assert gone in capsys.readouterr().out
    assert main(["restore", str(folder), "--state-dir", str(tmp_path / "new")]) == 1
    assert gone in capsys.readouterr().out


POINTS = [
    *("backup.journal", "backup.link", "backup.file", "backup.name", "backup.names"),
    *("backup.sums", "backup.folder", "manifest.write", "manifest.name", "manifest.folder"),
]
PLACES = [(point, when) for point in POINTS for when in get_args(When)]
RESTORE_PLACES = [
    (point, when)
    for point in (
        *("restore.write", "restore.name", "restore.folder", "backup.file", "backup.name"),
        *("backup.names", "restore.numbers", "restore.done", "restore.end"),
    )
    for when in get_args(When)
]


def linking(point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let payloads get a second name where that is the point, whatever the file system can do."""
    if point == "backup.link":
        monkeypatch.setattr(Copier, "_cloned", lambda *_: None)


@pytest.mark.parametrize(("point", "when"), PLACES)
def test_a_full_disk_ends_a_backup_and_harms_nothing(
    state: StateDirectory,
    folder: Path,
    point: str,
    when: When,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 3 and words, nothing half-made is left, and the next backup is whole."""
    linking(point, monkeypatch)
    armed = Faults(tmp_path / "faults")
    monkeypatch.setattr(faults, "_faults", armed)
    before = contents(state.path)
    armed.arm(point, when, "enospc")
    assert main(["backup", str(folder), "--state-dir", str(state.path)]) == 3
    assert armed.happened(point, when)
    said = capsys.readouterr().err
    assert "No space left" in said
    assert "Free space on the file system" in said
    assert complete(folder) == []
    assert contents(state.path) == before
    assert main(["backup", str(folder), "--state-dir", str(state.path)]) == 0
    assert verify(complete(folder)[0]).manifest.payloads == 3


@pytest.mark.parametrize(("point", "when"), PLACES)
def test_a_backup_killed_midway_counts_for_nothing(
    state: StateDirectory,
    folder: Path,
    point: str,
    when: When,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one before stays what it was; the next removes what was left, and is whole."""
    linking(point, monkeypatch)
    first = backed_up(state, folder)
    state.receive(b"<another/>", 5)
    assert killed_at(point, when, tmp_path, lambda: backed_up(state, folder))
    found = complete(folder)
    ended = (point, when) in {("manifest.name", "after")} or point == "manifest.folder"
    assert len(found) == (2 if ended else 1)
    assert [verify(each).manifest.payloads for each in found] == [3, 4][: len(found)]
    last = backed_up(state, folder)
    assert verify(last).manifest.payloads == 4
    assert [
        each
        for each in folder.iterdir()
        if each.name != "payloads" and each not in complete(folder)
    ] == []
    assert first in complete(folder)
    assert not list(folder.rglob(".tmp-*"))


@pytest.mark.parametrize(("point", "when"), RESTORE_PLACES)
def test_a_restore_killed_midway_is_no_state_directory(
    state: StateDirectory, folder: Path, point: str, when: When, tmp_path: Path
) -> None:
    """No gateway begins there with an empty journal: it is refused, or all of it is there."""
    backup = backed_up(state, folder)
    new = tmp_path / "new"
    assert killed_at(point, when, tmp_path, lambda: restore(backup, new))
    if point == "restore.end" or (point, when) == ("restore.done", "after"):
        assert rows(new / "journal.sqlite") == [each.id for each in state.received]
    elif (point, when) in {(f"restore.{each}", "before") for each in ("write", "name")} | {
        ("restore.write", "after")
    }:
        assert {each.name for each in new.iterdir() if not each.name.startswith(".tmp-")} == {
            "journal.lock"
        }
        restore(backup, new)  # nothing was there yet
        assert rows(new / "journal.sqlite") == [each.id for each in state.received]
    else:
        with pytest.raises(JournalError, match="not restored yet, or was restored in part"):
            open_reader(new / "journal.sqlite")
        with pytest.raises(ConfigurationError, match="left by a restore that was broken off"):
            restore(backup, new)


@pytest.mark.parametrize(("point", "when"), RESTORE_PLACES)
def test_a_full_disk_ends_a_restore_and_leaves_nothing(
    state: StateDirectory,
    folder: Path,
    point: str,
    when: When,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 3 and words; the folder is as empty as it was, and the next restore is whole."""
    backed_up(state, folder)
    armed = Faults(tmp_path / "faults")
    monkeypatch.setattr(faults, "_faults", armed)
    armed.arm(point, when, "enospc")
    words = ["restore", str(folder), "--state-dir", str(tmp_path / "new")]
    assert main(words) == 3
    assert armed.happened(point, when)
    assert "Nothing was restored" in capsys.readouterr().err
    assert list((tmp_path / "new").iterdir()) == []
    assert main(words) == 0
    assert rows(tmp_path / "new" / "journal.sqlite") == [each.id for each in state.received]


@ensureDeferred
async def test_a_gateway_refuses_what_was_restored_in_part(tmp_path: Path) -> None:
    """It says so, instead of calling the journal damaged, and changes nothing."""
    path = tmp_path / "journal.sqlite"
    path.write_bytes(UNDER_RESTORE)
    journal = Journal(reactor, path)
    with pytest.raises(JournalError, match="not restored yet, or was restored in part"):
        await journal.open()
    assert path.read_bytes() == UNDER_RESTORE


def alter(path: Path) -> None:
    """One bit, somewhere in the middle."""
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.unlink()  # it may be a second name of a file of the spool
    path.write_bytes(bytes(held))


def cut(path: Path) -> None:
    """Its end is missing."""
    held = path.read_bytes()
    path.unlink()
    path.write_bytes(held[:-3])


@pytest.mark.parametrize("harm", [alter, cut, Path.unlink])
@pytest.mark.parametrize(
    "what",
    ["manifest.json", "SHA256SUMS", "journal.sqlite", "state/sftp/acme/out/R_1.xml", "../payloads"],
)
def test_a_backup_that_is_not_sound_is_refused_by_name(
    state: StateDirectory, folder: Path, tmp_path: Path, what: str, harm: Callable[[Path], None]
) -> None:
    """By verifying, and by restoring, which leaves the folder as empty as it was."""
    backup = backed_up(state, folder)
    ill = backup / what
    if what == "../payloads":
        ill = next(path for path in (folder / "payloads").rglob("*") if path.is_file())
    harm(ill)
    new = tmp_path / "new"
    new.mkdir()
    for attempt in (lambda: verify(backup), lambda: restore(backup, new)):
        with pytest.raises(BackupFailed) as caught:
            attempt()
        assert ill.name in str(caught.value)
        assert list(new.iterdir()) == []


def test_a_payload_that_rotted_need_not_take_the_others_with_it(
    state: StateDirectory, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--accept-losses` restores the rest, says what is not there, and ends with 1."""
    backup = backed_up(state, folder)
    ill = folder / "payloads" / state.received[0].sha256[:2] / state.received[0].sha256
    alter(ill)
    words = ["restore", str(backup), "--state-dir", str(tmp_path / "new")]
    assert main(words) == 3
    assert "--accept-losses" in capsys.readouterr().err
    assert main([*words, "--accept-losses", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["lost"] == [ill.name]
    assert len(rows(tmp_path / "new" / "journal.sqlite")) == 3


def test_a_list_that_leads_out_of_the_backup_is_refused(
    state: StateDirectory, folder: Path, tmp_path: Path
) -> None:
    """Whoever wrote it, with whatever sum: nothing is written outside the state directory."""
    backup = backed_up(state, folder)
    sums, manifest = backup / "SHA256SUMS", backup / "manifest.json"
    listed = sums.read_bytes().replace(b"state/sftp/acme/out/", b"state/../../")
    assert listed != sums.read_bytes()
    sums.write_bytes(listed)
    told = read_manifest(backup)
    sums_of_it = hashlib.sha256(listed).hexdigest()
    forged = msgspec.structs.replace(told, sums=sums_of_it).sealed()
    manifest.write_bytes(msgspec.json.encode(forged))
    with pytest.raises(BackupFailed, match="a line that no backup has"):
        restore(backup, tmp_path / "new")
    assert not (tmp_path / "R_1.xml").exists()


def test_a_backup_of_a_newer_gateway_is_refused(
    state: StateDirectory, folder: Path, tmp_path: Path
) -> None:
    """Before anything is written."""
    backup = backed_up(state, folder)
    newer = msgspec.structs.replace(read_manifest(backup), journal="9999").sealed()
    (backup / "manifest.json").write_bytes(msgspec.json.encode(newer))
    with pytest.raises(BackupFailed, match="made by a newer gateway"):
        restore(backup, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_restore_needs_an_empty_folder_that_nobody_works_in(
    state: StateDirectory, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A state directory that is in use says by whom; one that is not, that it is not empty."""
    backed_up(state, folder)
    before = contents(state.path)
    words = ["restore", str(folder), "--state-dir", str(state.path)]
    assert main(words) == 2
    assert "is not empty" in capsys.readouterr().err
    lock = StateLock(state.path / "journal.lock")
    lock.acquire()
    assert main(words) == 2
    assert f"process {os.getpid()}" in capsys.readouterr().err
    lock.release()
    (state.path / "journal.lock").unlink()
    assert contents(state.path) == before


def test_folders_that_cannot_be_what_is_meant(
    state: StateDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A backup inside what is backed up, among other files, beside another; restored nothing."""
    words = ["--state-dir", str(state.path)]
    assert main(["backup", str(state.path / "b"), *words]) == 2
    assert "inside the state directory" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "holiday.jpg").touch()
    assert main(["backup", str(tmp_path / "mine"), *words]) == 2
    assert "holiday.jpg" in capsys.readouterr().err
    with opened(tmp_path / "busy"):
        assert main(["backup", str(tmp_path / "busy"), *words]) == 3
    assert "Another backup is being written" in capsys.readouterr().err
    assert main(["restore", str(tmp_path / "busy"), *words]) == 2
    assert "no complete backup" in capsys.readouterr().err
    assert main(["backup", str(tmp_path / "b"), "--state-dir", str(tmp_path / "mine")]) == 3
    assert complete(tmp_path / "b") == []


# ---- processes of our own that die


def killed(work: Callable[[], object]) -> bool:
    """Whether a copy of this process that does the work is killed on the way."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            work()
        os._exit(7)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def killed_at(point: str, when: When, folder: Path, work: Callable[[], object]) -> bool:
    """The same, at a fault point."""
    armed = Faults(folder / "faults")
    armed.arm(point, when, "kill")

    def armed_work() -> None:
        faults._faults = armed
        work()

    return killed(armed_work) and armed.happened(point, when)
