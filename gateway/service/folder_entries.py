"""What lies in a watched folder, by descriptor: no link in it is ever followed.

A place is a name in the folder, or `.edi-gateway/` and a name: in the folder we made for
ourselves in it (see `folder_files`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.service.sftp_server.notes import is_temporary, usable_name

PRIVATE: Final = ".edi-gateway"
IN_PRIVATE: Final = f"{PRIVATE}/"
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Identity(NamedTuple):
    """Which file it is, and in which condition: what changes when somebody writes or replaces."""

    inode: int
    size: int
    mtime_ns: int


def name_of(place: str) -> str:
    """The name a file came under."""
    return place.removeprefix(IN_PRIVATE)


def set_aside(place: str) -> str:
    """Where a file lies that came under the name of one being removed."""
    return IN_PRIVATE + name_of(place)


@contextlib.contextmanager
def opened(descriptor: int) -> Iterator[int]:
    """The descriptor, closed afterwards."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def private_folder(inbox: int, *, make: bool = False) -> Iterator[int]:
    """Our folder in the inbox. Raises OSError; also when somebody else made one of that name."""
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(PRIVATE, 0o700, dir_fd=inbox)
    found = os.stat(PRIVATE, dir_fd=inbox, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, f"{PRIVATE} in it is not the folder we made")
    with opened(os.open(PRIVATE, FOLDER | os.O_NOFOLLOW, dir_fd=inbox)) as descriptor:
        yield descriptor


def listed(folder: int, prefix: str) -> tuple[dict[str, Identity], list[str]]:
    """Regular files by `prefix` and name, and names that no file may have, shown harmlessly."""
    files: dict[str, Identity] = {}
    unusable = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_temporary(entry.name) or not entry.is_file(follow_symlinks=False):
                continue
            if usable_name(os.fsencode(entry.name)) is None:
                unusable.append(ascii(entry.name))
            elif (found := look_at(folder, entry.name)) is not None:
                files[prefix + entry.name] = found
    return files, unusable


def look_at(folder: int, place: str) -> Identity | None:
    """What is there; None for nothing, and for all but regular files."""
    try:
        found = os.stat(place, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return identity_of(found) if stat.S_ISREG(found.st_mode) else None


def identity_of(found: os.stat_result) -> Identity:
    """What tells it from another file, or from itself before it was written to."""
    return Identity(found.st_ino, found.st_size, found.st_mtime_ns)


def open_regular(inbox: int, place: str) -> int:
    """The file, for reading. Not blocking: a named pipe without a writer would hold us for ever."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with contextlib.ExitStack() as stack:
        folder = inbox if place == name_of(place) else stack.enter_context(private_folder(inbox))
        descriptor = os.open(name_of(place), flags, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "is no regular file")
    return descriptor
