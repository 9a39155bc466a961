"""Making a backup, while the gateway runs or not.

The order makes it consistent. First all payloads are held: nothing is removed from the spool until
the end. Then the journal is copied as it stands at one moment, then every payload that this copy
names: all of them are there, for a payload is in the spool before the journal names it. What comes
later is not in the backup. The manifest is last.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from gateway.durable import UNFINISHED, sync_folder, write_durably
from gateway.errors import BackupFailed, ConfigurationError
from gateway.service.backup import layout
from gateway.service.backup.copying import Altered, Copier
from gateway.service.backup.journal_copy import Progress, copy_journal, read_only
from gateway.service.backup.layout import Manifest
from gateway.service.backup.sums import SumsWriter, hash_file
from gateway.service.journal.schema import HEAD
from gateway.spool import Spool

_NOT_TAKEN = {
    *("spool", "scratch", "journal.lock", "control.sock", "upgrades"),
    *("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"),
}
"""Of the state directory: payloads and journal are taken by themselves, the others not at all."""


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that is complete. `new`: how the payloads got there that were not there before."""

    backup: str
    manifest: Manifest
    new: dict[str, int]
    kept: int
    removed: tuple[str, ...]


def make_backup(
    state: Path,
    folder: Path,
    *,
    version: str,
    keep: int | None = None,
    progress: Progress = lambda *_: None,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Made:
    """Back `state` up into `folder`; with `keep`, remove all but so many of the newest afterwards.

    Raises `BackupFailed`, or another `GatewayError`; the state directory is as it was either way.
    """
    state, folder = state.resolve(), folder.resolve()
    if folder == state or state in folder.parents:
        raise ConfigurationError(
            f"{folder} is inside the state directory {state}.",
            remedy="Name a folder elsewhere, best on another disk.",
        )
    with _failures(folder), layout.opened(folder):
        _remove_broken_off(folder)
        backup = layout.begin(folder, now())
        try:
            with Spool(state / "spool").hold_all():
                made = _Making(state, backup, version, now(), progress).make()
        except BaseException:
            with contextlib.suppress(OSError):
                layout.remove(backup)
            raise
        removed = _thin(folder, keep, progress) if keep is not None else ()
    return msgspec.structs.replace(made, removed=removed)


class _Making:
    """One backup, while it is made."""

    def __init__(
        self, state: Path, backup: Path, version: str, now: dt.datetime, progress: Progress
    ) -> None:
        self._state = state
        self._backup = backup
        self._version = version
        self._now = now
        self._progress = progress
        self._sums = SumsWriter(backup)
        self._copier = Copier()
        self._files = self._payloads = self._bytes = self._kept = 0
        self._missing: list[str] = []

    def make(self) -> Made:
        """Everything, in order."""
        try:
            journal = self._backup / layout.JOURNAL
            copy_journal(self._state / "journal.sqlite", journal, self._progress)
            self._note(hash_file(journal), layout.JOURNAL, journal)
            self._take_payloads(journal)
            new = {how.value: number for how, number in self._copier.done.items()}
            self._take_files()
            self._copier.sync()
            manifest = self._manifest(self._sums.close())
        finally:
            self._sums.abandon()
        sync_folder(self._backup, "backup.folder")
        encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        write_durably(self._backup / layout.MANIFEST, encoded + b"\n", "manifest")
        return Made(
            backup=str(self._backup), manifest=manifest, new=new, kept=self._kept, removed=()
        )

    def _manifest(self, sums: str) -> Manifest:
        return Manifest(
            format=layout.FORMAT,
            gateway=self._version,
            journal=HEAD,
            made_at=self._now,
            state=str(self._state),
            files=self._files,
            payloads=self._payloads,
            bytes=self._bytes,
            sums=sums,
            missing=tuple(self._missing),
        ).sealed()

    def _take_payloads(self, journal: Path) -> None:
        spool = Spool(self._state / "spool")
        with contextlib.closing(read_only(journal)) as copy:
            (number,) = copy.execute("SELECT count(*) FROM payloads").fetchone()
            rows = copy.execute("SELECT sha256, size FROM payloads ORDER BY sha256")
            for done, (sha256, size) in enumerate(rows):
                self._progress("payloads", done, number)
                place = f"{layout.PAYLOADS}/{sha256[:2]}/{sha256}"
                if self._took(spool.path(sha256), self._backup.parent / place, size):
                    self._sums.add(sha256, f"../{place}")
                    self._payloads += 1
                    self._bytes += size
                else:
                    self._missing.append(sha256)
        self._progress("payloads", number, number)

    def _took(self, source: Path, target: Path, size: int) -> bool:
        """Whether a payload is in the backup now: not when the spool lacks it or has it altered."""
        if _size(target) == size:
            self._copier.touch(target.parent)  # whoever named it may not have come to an fsync
            self._kept += 1
            return True
        if _size(source) != size:
            return False
        target.unlink(missing_ok=True)  # of another size: something happened to it here
        try:
            self._copier.share(source, target)
        except (FileNotFoundError, Altered):
            return False
        return True

    def _take_files(self) -> None:
        for path in files_of(self._state):
            self._progress("other files", self._files, 0)
            place = f"{layout.STATE}/{path.relative_to(self._state)}"
            target = self._backup / place
            try:
                self._note(self._copier.copy(path, target), place, target)
            except FileNotFoundError:
                continue  # fetched by its partner, or replaced, at this very moment

    def _note(self, sha256: str, place: str, target: Path) -> None:
        self._sums.add(sha256, place)
        self._files += 1
        self._bytes += target.stat().st_size


def files_of(state: Path) -> Iterator[Path]:
    """The files of a state directory that a backup takes, beside journal and payloads.

    Uploads under way are not taken: their senders did not hear that we have them. Neither are files
    that are being written, nor links, sockets and whatever else is no file.
    """
    for folder, folders, names in os.walk(state):
        here = Path(folder)
        passed = set[str]()
        if here == state:
            passed = _NOT_TAKEN
        elif here.parent == state / "sftp":
            passed = {"in"}
        folders[:] = sorted(name for name in folders if name not in passed)
        for name in sorted(set(names) - passed):
            path = here / name
            unfinished = name.startswith(UNFINISHED) or name.endswith(".part")
            if not unfinished and path.is_file() and not path.is_symlink():
                yield path


def _remove_broken_off(folder: Path) -> None:
    """Remove what a backup left that did not come to its end."""
    broken = [each for each in layout.backups_in(folder) if not (each / layout.MANIFEST).exists()]
    for each in broken:
        layout.remove(each)
    if broken:
        for left in (folder / layout.PAYLOADS).glob(f"??/{UNFINISHED}*"):
            left.unlink(missing_ok=True)


def _thin(folder: Path, keep: int, progress: Progress) -> tuple[str, ...]:
    """Remove all backups but the newest `keep`, then the payloads that none of them names."""
    found = layout.complete(folder)
    removed = found[:-keep]
    for each in removed:
        layout.remove(each)
    if removed:
        sync_folder(folder, "backup.removed")
        kept = _Named(found[-keep:])
        try:
            for number, prefix in enumerate(sorted((folder / layout.PAYLOADS).iterdir())):
                progress("old payloads", number, 256)
                for path in prefix.iterdir():
                    if path.name.startswith(UNFINISHED) or not kept.has(path.name):
                        path.unlink()
        finally:
            kept.close()
    return tuple(str(each) for each in removed)


class _Named:
    """Which payloads some backups name: asked of their journals, however many there are."""

    def __init__(self, backups: list[Path]) -> None:
        self._journals = [read_only(each / layout.JOURNAL) for each in backups]

    def has(self, sha256: str) -> bool:
        """Whether one of them does."""
        asked = "SELECT 1 FROM payloads WHERE sha256 = ?"
        return any(each.execute(asked, [sha256]).fetchone() for each in self._journals)

    def close(self) -> None:
        """Let go of the files."""
        for each in self._journals:
            each.close()


def _size(path: Path) -> int | None:
    """How large a file is; None when it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _failures(folder: Path) -> Iterator[None]:
    """What the system says, as an error that tells the way out."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        remedy = "Nothing of the state directory was changed."
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            remedy = f"Free space on the file system of {folder}; {remedy[0].lower()}{remedy[1:]}"
        elif error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            remedy = f"Run this as a user who may read the state and write to {folder}."
        raise BackupFailed(
            f"The backup was not made: {where}: {error.strerror or error}.", remedy=remedy
        ) from error
    except sqlite3.Error as error:
        raise BackupFailed(
            f"The journal could not be copied to {folder}: {error}.",
            remedy="See that there is space; nothing of the state directory was changed.",
        ) from error
