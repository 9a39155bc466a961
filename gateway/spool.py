"""Payload files, named by their content: once here, a file is never changed, only discarded.

    <root>/incoming/                 files being written; whatever is left there at a start is stale
    <root>/payloads/ab/abcd….        complete files: the name is the SHA-256 of the bytes

A payload counts as stored when a power cut can no longer take it away: the file's bytes are
fsynced first, then it gets its name, then the folder that holds the name is fsynced. Any other
order can leave a name without its bytes. The 256 folders are there from the start, so that each
payload costs these two fsyncs and no others.

All methods block; the daemon calls them in threads, and those of its processes that receive files
call them too. They are safe to run in several threads or processes at once: two deliveries of the
same bytes end in the same file. How many interchanges need a payload is counted in the journal.

Whoever copies payloads, such as a backup, holds all of them (`hold_all`): until it lets go, or
dies, nothing is removed. Those who remove look at that lock, which lies on the folder itself.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from gateway.durable import (
    fsync,
    lock_folder,
    make_folder,
    remove,
    rename,
    sync_file,
    sync_folder,
)
from gateway.errors import SpoolError, SpoolHeld

_SHA256 = re.compile(r"[0-9a-f]{64}")
_READ_BYTES = 1 << 20
_MODE = 0o640
_FOLDER_MODE = 0o750
HOLD_SECONDS = 10.0


class StoredPayload(msgspec.Struct, frozen=True):
    """A payload that is on disk. `size` in bytes, `sha256` in lower-case hex."""

    sha256: str
    size: int
    path: Path


class Spool:
    """The payloads under `root`; `incoming` is where receivers write, on the same file system."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._payloads = root / "payloads"
        self._within = f"{self._payloads}{os.sep}"
        self.incoming = root / "incoming"

    def prepare(self) -> None:
        """Make the folders, remove what an earlier run left half-written.

        Only for the daemon that holds the state directory, before anything is received.
        """
        with _failures(f"prepare {self._root}"):
            for folder in (self._payloads, self.incoming):
                make_folder(folder, mode=_FOLDER_MODE)
                sync_folder(
                    folder.parent, "spool.folder"
                )  # an earlier start may not have come as far as this
            for number in range(256):
                (self._payloads / f"{number:02x}").mkdir(mode=_FOLDER_MODE, exist_ok=True)
            sync_folder(self._payloads, "spool.folder")
            self._move_old()
            with os.scandir(self.incoming) as left_over:
                for entry in left_over:
                    if not entry.is_dir(follow_symlinks=False):
                        os.unlink(entry.path)

    def path(self, sha256: str) -> Path:
        """Where the payload is, or would be. Raises `SpoolError` when that is no SHA-256."""
        return Path(self._place(sha256))

    def _place(self, sha256: str) -> str:
        if not _SHA256.fullmatch(sha256):
            raise SpoolError(f"{sha256[:80]!r} is not a SHA-256 in lower-case hex.")
        return f"{self._within}{sha256[:2]}{os.sep}{sha256}"

    def adopt(self, path: str | Path, sha256: str, size: int) -> None:
        """Take over a complete, already fsynced file whose hash its receiver computed.

        `path` must be on the spool's file system; afterwards nothing is there. Adopting again
        what was adopted before, with `path` gone, does nothing. Raises `SpoolError` when the
        file is not `size` bytes or cannot be made durable; it can then be adopted once more.
        """
        target = self._place(sha256)
        called = os.path.basename(path)
        with _failures(f"take over {called!r}"):
            try:
                found = os.lstat(path)
            except FileNotFoundError:
                self._known(target, size)
                return
            if not stat.S_ISREG(found.st_mode) or found.st_size != size:
                raise SpoolError(
                    f"{called!r} was announced with {size} bytes and has {found.st_size}."
                )
            self._name(path, target, size)

    def adopt_unsynced(self, path: Path, sha256: str, size: int) -> None:
        """As `adopt`, for a complete file that whoever wrote it has not fsynced."""
        with _failures(f"take over {path.name!r}"), contextlib.suppress(FileNotFoundError):
            sync_file(path, "spool.file")
        self.adopt(path, sha256, size)

    def store(self, chunks: Iterable[bytes]) -> StoredPayload:
        """Write a payload as it comes. Raises `SpoolError`, and leaves nothing half-written.

        What `chunks` itself raises passes through.
        """
        temporary = self.incoming / f"{secrets.token_hex(16)}.part"
        try:
            sha256, size = _write(temporary, chunks)
            target = self._place(sha256)
            with _failures("store a payload"):
                self._name(temporary, target, size)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        return StoredPayload(sha256, size, Path(target))

    def _known(self, target: str, size: int) -> None:
        """A payload that must be there already. Raises OSError or `SpoolError` otherwise."""
        found = os.stat(target).st_size
        if found != size:
            sha256 = os.path.basename(target)
            raise SpoolError(
                f"The spool's {sha256} has {found} bytes instead of {size}: it was damaged.",
                remedy=f"Check the disk; move {target} aside, then have the file sent again.",
            )
        os.utime(target)  # as young as a new one: whoever sweeps must leave it alone

    def _name(self, path: str | Path, target: str, size: int) -> None:
        """Give a fsynced file its final name, durably; a second copy of known bytes is dropped."""
        try:
            self._known(target, size)
        except FileNotFoundError:
            # A rename onto a name that another thread just made replaces the same bytes.
            rename(path, target, "spool.name")
        else:
            remove(path, "spool.again")
        # In both cases: whoever named it first may not have come as far as this yet.
        sync_folder(os.path.dirname(target), "spool.folder")

    def _move_old(self) -> None:
        """Bring payloads that an earlier gateway put into `ab/cd/` to where they are looked for.

        Broken off, it goes on at the next start.
        """
        for old in self._payloads.glob("??/??/"):
            for path in old.iterdir():
                rename(path, self.path(path.name), "spool.moved")
            sync_folder(old.parent, "spool.folder")
            old.rmdir()

    def verify(self, sha256: str) -> int:
        """Read the payload and compare; its size. Raises `SpoolError` when missing or altered."""
        path = self.path(sha256)
        digest = hashlib.sha256()
        size = 0
        with _failures(f"read payload {sha256}"), path.open("rb") as file:
            while chunk := file.read(_READ_BYTES):
                digest.update(chunk)
                size += len(chunk)
        if digest.hexdigest() != sha256:
            raise SpoolError(
                f"Payload {sha256} no longer has the content it was stored with.",
                remedy="Check the disk and restore the file from the last backup.",
            )
        return size

    @contextlib.contextmanager
    def hold_all(self, *, patience: float = HOLD_SECONDS) -> Iterator[None]:
        """Keep every payload where it is, meanwhile; the kernel lets go when the holder dies.

        Waits so many seconds for removals under way. Raises `SpoolHeld` when somebody else holds
        them longer, `SpoolError` when there is no spool.
        """
        deadline = time.monotonic() + patience
        while True:
            try:
                folder = self._lock(shared=False)
                break
            except SpoolHeld:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)
        try:
            yield
        finally:
            os.close(folder)

    @contextlib.contextmanager
    def _removing(self) -> Iterator[None]:
        """While something is removed. Raises `SpoolHeld` while somebody holds all payloads."""
        folder = self._lock(shared=True)
        try:
            yield
        finally:
            os.close(folder)

    def _lock(self, *, shared: bool) -> int:
        """Lock the payloads' folder until the descriptor is closed: those who remove share it."""
        with _failures("lock its payloads"):
            try:
                return lock_folder(self._payloads, shared=shared)
            except BlockingIOError:
                raise SpoolHeld(
                    "The spool's payloads are being copied: nothing is removed meanwhile.",
                    remedy="Try again once the backup has ended.",
                ) from None

    def discard(self, sha256: str) -> None:
        """Remove a payload that no interchange needs. One that is gone already is no error.

        Raises `SpoolHeld` while somebody holds all of them.
        """
        path = self.path(sha256)
        with self._removing(), _failures(f"discard payload {sha256}"):
            try:
                remove(path, "spool.discard")
            except FileNotFoundError:
                return
            sync_folder(path.parent, "spool.folder")

    def older_than(self, prefix: str, before: float) -> list[str]:
        """The payloads whose SHA-256 begins with two hex digits, last adopted before that time.

        `before` is in seconds since 1970. What counts is the inode's change time, which each
        adoption renews and no sender can set.
        """
        found = []
        with _failures("list its payloads"), os.scandir(self._payloads / prefix) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # discarded meanwhile
                    if _SHA256.fullmatch(entry.name) and entry.stat().st_ctime < before:
                        found.append(entry.name)
        return found

    def discard_older(self, sha256: str, before: float) -> int | None:
        """Remove a payload unless it was adopted since `before`; its size in bytes if it went.

        Adopting and sweeping may meet, in other processes too. So the file is taken aside first,
        when nobody can adopt it any more, and put back if somebody just had: an adoption changes
        the modification time, a rename does not. Raises `SpoolHeld` as `discard` does.
        """
        path = self.path(sha256)
        aside = self.incoming / f"{secrets.token_hex(16)}.swept"
        with self._removing(), _failures(f"sweep payload {sha256}"):
            try:
                seen = os.lstat(path)
                if seen.st_ctime >= before:
                    return None
                rename(path, aside, "spool.aside")
            except FileNotFoundError:
                return None
            if os.lstat(aside).st_mtime_ns != seen.st_mtime_ns:
                rename(aside, path, "spool.back")
                sync_folder(path.parent, "spool.folder")
                return None
            remove(aside, "spool.discard")
        return seen.st_size

    def free_mb(self) -> int:
        """Free space for an ordinary user on the spool's file system, in MB (10⁶ bytes)."""
        with _failures("ask for free space"):
            found = os.statvfs(self._root)
        return found.f_bavail * found.f_frsize // 1_000_000


@contextlib.contextmanager
def _failures(what: str) -> Iterator[None]:
    """Turn an OSError into a `SpoolError` that says what was tried, and what to do."""
    try:
        yield
    except OSError as error:
        remedy = ""
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            remedy = "Free space on the file system of paths.state."
        elif error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            remedy = "Make paths.state writable by the user the gateway runs as."
        elif error.errno == errno.EXDEV:
            remedy = "Receivers must write on the spool's own file system."
        raise SpoolError(
            f"The spool could not {what}: {error.strerror or error}.", remedy=remedy
        ) from error


def _write(path: Path, chunks: Iterable[bytes]) -> tuple[str, int]:
    """Write a new file to disk: its SHA-256 and size."""
    digest = hashlib.sha256()
    size = 0
    with _failures("store a payload"):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        for chunk in chunks:  # outside `_failures`: a source that fails is not the spool failing
            digest.update(chunk)
            size += len(chunk)
            with _failures("store a payload"):
                _write_all(fd, chunk)
        with _failures("store a payload"):
            fsync(fd, "spool.write")
    finally:
        with _failures("store a payload"):
            os.close(fd)
    return digest.hexdigest(), size


def _write_all(fd: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(fd, view) :]
