"""One file from here to there, so that a power cut leaves it whole or not at all.

A clone (Btrfs, XFS) costs nothing and shares nothing that could be written. Where there are none,
a payload that stays on its file system gets a second name instead: it is never changed, so two
names of one file do no harm. Everything else is copied.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
from collections import Counter
from enum import StrEnum
from pathlib import Path

from gateway import faults
from gateway.durable import UNFINISHED, make_folder, rename, sync_file, sync_folder
from gateway.service.backup.sums import READ_BYTES

_FICLONE = 0x40049409
"""ioctl_ficlone(2)."""
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS}


class How(StrEnum):
    """How a file got there."""

    CLONED = "cloned"
    LINKED = "linked"
    COPIED = "copied"


class Altered(Exception):
    """What was copied has not the sum it should have."""


class Copier:
    """Copies files. Their folders are made on the way, and durable only after `sync`.

    `owner`: user and group that what is written shall belong to; None: whoever writes it.
    """

    def __init__(self, *, owner: tuple[int, int] | None = None) -> None:
        self.done: Counter[How] = Counter()
        self._owner = owner
        self._clones = True
        self._folders: set[Path] = set()

    def share(self, source: Path, target: Path) -> How:
        """A file that never changes: cloned, linked or copied. `target` may be there already."""
        self._folder(target.parent)
        how = self._cloned(source, target) or self._linked(source, target)
        if how is None:
            self.copy(source, target, sha256=target.name)
            return How.COPIED
        self.done[how] += 1
        return how

    def copy(self, source: Path, target: Path, *, sha256: str = "", mode: int = 0o600) -> str:
        """A file of its own: its SHA-256. Raises OSError, and `Altered` if it is not `sha256`."""
        self._folder(target.parent)
        temporary = self._temporary(target)
        try:
            found = self._written(source, temporary, mode)
            _compare(found, sha256 or found)
            sync_file(temporary, "backup.file")
            rename(temporary, target, "backup.name")
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self.done[How.COPIED] += 1
        return found

    def touch(self, folder: Path) -> None:
        """Make what is in this folder durable, too."""
        self._folders.add(folder)

    def sync(self) -> None:
        """Make every name durable that was made so far."""
        for folder in self._folders:
            sync_folder(folder, "backup.names")
        self._folders.clear()

    def _folder(self, folder: Path) -> None:
        if folder in self._folders:
            return
        if self._owner is not None:
            for each in reversed([folder, *folder.parents]):
                if not each.is_dir():
                    make_folder(each)
                    os.chown(each, *self._owner)
        make_folder(folder)
        self._folders.add(folder)

    def _written(self, source: Path, target: Path, mode: int) -> str:
        digest = hashlib.sha256()
        with source.open("rb") as reading:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with os.fdopen(os.open(target, flags, mode), "wb") as writing:
                while chunk := reading.read(READ_BYTES):
                    digest.update(chunk)
                    writing.write(chunk)
            times = os.fstat(reading.fileno())
        os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
        if self._owner is not None:
            os.chown(target, *self._owner)
        return digest.hexdigest()

    def _cloned(self, source: Path, target: Path) -> How | None:
        if not self._clones:
            return None
        temporary = self._temporary(target)
        try:
            with source.open("rb") as reading:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with os.fdopen(os.open(temporary, flags, 0o600), "wb") as writing:
                    try:
                        fcntl.ioctl(writing.fileno(), _FICLONE, reading.fileno())
                    except OSError:
                        self._clones = False  # this file system has none, or these are two
                        return None
            sync_file(temporary, "backup.file")
            rename(temporary, target, "backup.name")
        finally:
            temporary.unlink(missing_ok=True)
        return How.CLONED

    @staticmethod
    def _linked(source: Path, target: Path) -> How | None:
        try:
            with contextlib.suppress(FileExistsError), faults.around("backup.link"):
                os.link(source, target)
        except OSError as error:
            if error.errno in _NO_LINK:
                return None
            raise
        return How.LINKED

    @staticmethod
    def _temporary(target: Path) -> Path:
        return target.parent / f"{UNFINISHED}{secrets.token_hex(8)}"


def _compare(found: str, wanted: str) -> None:
    if found != wanted:
        raise Altered
