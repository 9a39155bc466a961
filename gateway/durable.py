"""Folders and files that a power cut cannot take away. What is here blocks.

Everything that makes something durable is called through here, by the name of its fault point
(`gateway/faults.py`): so no such operation escapes the tests that kill the gateway around each.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
from pathlib import Path

from gateway import faults

UNFINISHED = ".tmp-"
"""How the name of a file begins while it is being written."""

_libc = ctypes.CDLL(None, use_errno=True)
_sync_file_range = getattr(_libc, "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
_SYNC_FILE_RANGE_WRITE = 2

Name = str | bytes | os.PathLike[str]


def fsync(descriptor: int, point: str) -> None:
    """Make what was written survive a power cut. Raises OSError."""
    with faults.around(point):
        os.fsync(descriptor)


def begin_writing(descriptor: int, offset: int, count: int) -> None:
    """Let the kernel start to write these bytes to the disk, so that an fsync finds less to do.

    Nothing is promised, and where the system has no such call nothing is done. It does not wait, so
    an error of the disk is still told to the fsync (sync_file_range(2), SYNC_FILE_RANGE_WRITE).
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, offset, count, _SYNC_FILE_RANGE_WRITE)


def rename(
    source: Name,
    target: Name,
    point: str,
    *,
    source_folder: int | None = None,
    target_folder: int | None = None,
) -> None:
    """Give a file another name, which may be taken. Raises OSError.

    Names may be relative to the folders with these descriptors.
    """
    with faults.around(point):
        os.rename(source, target, src_dir_fd=source_folder, dst_dir_fd=target_folder)


def remove(path: Name, point: str, *, folder: int | None = None) -> None:
    """Remove a file that others have seen or may still look for. Raises OSError."""
    with faults.around(point):
        os.unlink(path, dir_fd=folder)


def sync_folder(folder: Name, point: str) -> None:
    """Make what was created, renamed or removed in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fsync(descriptor, point)
    finally:
        os.close(descriptor)


def sync_file(path: Path, point: str) -> None:
    """Make what was written into a file survive a power cut. Raises FileNotFoundError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fsync(descriptor, point)
    finally:
        os.close(descriptor)


def sync_file_system(folder: Path) -> None:
    """Make everything that was written into the file system of `folder` survive a power cut.

    One call where there are thousands of files; its caller has the fault point. Raises OSError.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)


def make_folder(folder: Path, *, mode: int = 0o700) -> None:
    """Create `folder` and its parents, durably. Existing ones are kept."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=mode, exist_ok=True)
        sync_folder(each.parent, "folder.made")


def lock_folder(folder: Path, *, shared: bool = False) -> int:
    """Lock a folder until the descriptor is closed, which the kernel does when its holder dies.

    Any number may share it, or one has it alone. Raises BlockingIOError when others have it so
    that this one cannot, and OSError when there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def write_durably(path: Path, body: bytes, points: str, *, mode: int = 0o600) -> None:
    """Write a whole file under a temporary name, fsync, rename, fsync the folder.

    Its fault points are those of `points` with `.write`, `.name` and `.folder`.
    """
    temporary = path.parent / f"{UNFINISHED}{secrets.token_hex(8)}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            fsync(file.fileno(), f"{points}.write")
        rename(temporary, path, f"{points}.name")
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent, f"{points}.folder")
