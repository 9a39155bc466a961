"""The way back: a backup proven by its sums, and put into an empty state directory.

A state directory is restored when its journal is there, and that comes last, by one rename. Until
then a file stands in its place that says so: a gateway that is started on it refuses, as it does
after a restore that was broken off, instead of beginning with an empty journal.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gateway.durable import UNFINISHED, make_folder, rename, sync_file, sync_folder, write_durably
from gateway.errors import BackupFailed, ConfigurationError
from gateway.service.backup import layout
from gateway.service.backup.copying import Altered, Copier
from gateway.service.backup.journal_copy import Progress
from gateway.service.backup.layout import Manifest, read_manifest
from gateway.service.backup.sums import Sum, hash_file, read_sums
from gateway.service.journal.lock import StateLock
from gateway.service.journal.schema import HEAD, UNDER_RESTORE

_SHOWN = 20
_NOT_OURS = "lost+found"
"""Where a file system of its own begins."""
_LOCK = "journal.lock"
NUMBERS_SKIPPED = 1_000_000_000
"""More steps than a gateway takes between two backups, and few for 63 bits."""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that was verified, and perhaps restored. `lost`: payloads that were left out."""

    backup: str
    manifest: Manifest
    lost: tuple[str, ...] = ()


def verify(backup: Path, progress: Progress = lambda *_: None) -> Restored:
    """Read every file of a backup. Raises `BackupFailed`, which names those that are not sound."""
    manifest = read_manifest(backup)
    faults = _Faults(backup)
    for done, each in enumerate(read_sums(backup, manifest)):
        progress("verified", done, manifest.files + manifest.payloads)
        with faults.told(each):
            if hash_file(backup / each.path) != each.sha256:
                raise Altered
    faults.raise_if_any()
    return Restored(backup=str(backup), manifest=manifest)


def restore(
    backup: Path,
    state: Path,
    *,
    accept_losses: bool = False,
    progress: Progress = lambda *_: None,
) -> Restored:
    """Put a backup into `state`, which is empty or not there, verifying each file on the way.

    With `accept_losses` payloads that are not sound are left out; the journal never. Raises
    `ConfigurationError` when `state` holds anything, else `BackupFailed`; nothing is left then.
    """
    manifest = read_manifest(backup)
    if manifest.journal > HEAD:
        raise BackupFailed(
            f"{backup} was made by a newer gateway ({manifest.gateway}): its journal is at version"
            f" {manifest.journal}, this program knows versions up to {HEAD}.",
            remedy="Restore it with that version.",
        )
    # Altered, the list is refused before anything is written.
    if not any(each.path == layout.JOURNAL for each in read_sums(backup, manifest)):
        raise BackupFailed(f"{backup} has no journal.", remedy="Restore another backup.")
    with _failures(state), _claimed(state) as owner:
        copier = Copier(owner=owner)
        faults = _Faults(backup)
        number = manifest.files + manifest.payloads
        journal = state / f"{layout.JOURNAL}.restored"
        for done, each in enumerate(read_sums(backup, manifest)):
            progress("restored", done, number)
            target = journal if each.path == layout.JOURNAL else _target(state, each)
            with faults.told(each):
                mode = 0o640 if each.payload else 0o600
                copier.copy(backup / each.path, target, sha256=each.sha256, mode=mode)
        faults.raise_if_any(but_payloads=accept_losses)
        _skip_numbers(journal)
        copier.sync()
        rename(journal, state / layout.JOURNAL, "restore.done")
        sync_folder(state, "restore.end")
    return Restored(
        backup=str(backup), manifest=manifest, lost=(*manifest.missing, *faults.payloads)
    )


@contextlib.contextmanager
def _failures(state: Path) -> Iterator[None]:
    """What the system says of the state directory, as an error that tells the way out."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        where = getattr(error, "filename", None) or state
        raise BackupFailed(
            f"Nothing was restored: {where}: {getattr(error, 'strerror', None) or error}.",
            remedy=f"Give {state} room, and make it writable; then restore again.",
        ) from error


def _skip_numbers(journal: Path) -> None:
    """Leave out the numbers that the lost journal gave after the backup.

    Events are named by the number of their step. Were the same numbers given once more, to other
    steps, whoever compares ids would take a new event for one that it has.
    """
    with contextlib.closing(sqlite3.connect(journal, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("UPDATE sqlite_sequence SET seq = seq + ?", [NUMBERS_SKIPPED])
    sync_file(journal, "restore.numbers")


def _target(state: Path, each: Sum) -> Path:
    """Where a file of a backup belongs."""
    if each.payload:
        return state / "spool" / each.path.removeprefix("../")
    return state / each.path.removeprefix(f"{layout.STATE}/")


@contextlib.contextmanager
def _claimed(state: Path) -> Iterator[tuple[int, int] | None]:
    """Hold an empty state directory; what was written there goes again when that fails.

    Gives the user and group that files shall belong to, when root restores for somebody else.
    """
    if state.is_dir():
        lock = StateLock(state / _LOCK)
        if (state / _LOCK).exists():
            lock.acquire()  # says who runs there, if somebody does
            lock.release()
        found = sorted(each.name for each in state.iterdir() if not _is_nothing(each))
        if found:
            broken = _is_broken_off(state / layout.JOURNAL)
            raise ConfigurationError(
                f"The state directory {state} is not empty: {found[0]} is there"
                + (", left by a restore that was broken off." if broken else "."),
                remedy="Remove what is in it, and restore again."
                if broken
                else "Move it aside; a backup is restored into an empty folder.",
            )
    make_folder(state)
    status = state.stat()
    owner = (status.st_uid, status.st_gid) if os.geteuid() == 0 and status.st_uid else None
    lock = StateLock(state / _LOCK)
    lock.acquire()
    try:
        state.chmod(0o700)
        if owner is not None:
            os.chown(state / _LOCK, *owner)
        write_durably(state / layout.JOURNAL, UNDER_RESTORE, "restore")
        yield owner
    except BaseException:
        with contextlib.suppress(OSError):
            _empty(state)
        raise
    finally:
        lock.release()


def _is_nothing(path: Path) -> bool:
    """Whether an empty state directory may hold it: a lock nobody has, a first file cut short."""
    return path.name in {_NOT_OURS, _LOCK} or path.name.startswith(UNFINISHED)


def _is_broken_off(journal: Path) -> bool:
    """Whether a restore stands in the journal's place."""
    try:
        with journal.open("rb") as file:
            return file.read(len(UNDER_RESTORE)) == UNDER_RESTORE
    except OSError:
        return False


def _empty(state: Path) -> None:
    """Remove everything that was restored; what stands in the journal's place is last."""
    for each in state.iterdir():
        if each.name == _NOT_OURS:
            continue
        if each.is_dir():
            shutil.rmtree(each)
        elif each.name not in {layout.JOURNAL, _LOCK}:
            each.unlink()
    (state / layout.JOURNAL).unlink(missing_ok=True)
    (state / _LOCK).unlink(missing_ok=True)


class _Faults:
    """Files of a backup that are not there or not what they were."""

    def __init__(self, backup: Path) -> None:
        self._backup = backup
        self._others: list[str] = []
        self.payloads: list[str] = []
        self._words: list[str] = []

    @contextlib.contextmanager
    def told(self, each: Sum) -> Iterator[None]:
        """Note what goes wrong with one file of it; what goes wrong elsewhere passes through."""
        try:
            yield
        except Altered:
            self._note(each, "is not what was backed up")
        except OSError as error:
            if not self._mine(error):
                raise
            self._note(each, error.strerror or str(error))

    def raise_if_any(self, *, but_payloads: bool = False) -> None:
        """Raise `BackupFailed` with their names."""
        if not self._others and (but_payloads or not self.payloads):
            return
        number = len(self._others) + len(self.payloads)
        shown = "\n".join(f"    {each}" for each in self._words[:_SHOWN])
        more = f"\n    and {number - _SHOWN} more" if number > _SHOWN else ""
        remedy = "Use another backup."
        if self.payloads and not self._others:
            remedy = "Use a backup from another disk, or go without them with --accept-losses."
        raise BackupFailed(
            f"{self._backup} is not sound, {number} of its files are missing or altered:\n"
            f"{shown}{more}\n",
            remedy=remedy,
        )

    def _note(self, each: Sum, why: str) -> None:
        if each.payload:
            self.payloads.append(each.sha256)
        else:
            self._others.append(each.path)
        if len(self._words) < _SHOWN:
            where = os.path.normpath(self._backup / each.path)
            self._words.append(f"{where}: {why}")

    def _mine(self, error: OSError) -> bool:
        return str(error.filename or "").startswith(str(self._backup.parent))
