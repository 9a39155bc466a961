"""The files of a watched folder: what lies there, a copy of one, and its end there.

Another program writes here, with a user of its own, so nothing is trusted: no link is followed,
nothing but regular files is opened, and a file may be changed or replaced at any moment.

A file is removed under its name, but meant is the file that was copied. Between looking and
removing, another one could take that name. So it is first renamed into a private folder beside
it, `.edi-gateway`, where nobody else renames, and looked at there: what was copied is removed, and
anything else is a new file, taken in from where it now lies; so is what a crash left there.

All functions block; the watch calls them in threads.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from gateway.durable import fsync, remove, rename
from gateway.errors import FolderUnusable, IntakeRefused
from gateway.service.folder_entries import (
    FOLDER,
    IN_PRIVATE,
    PRIVATE,
    Identity,
    identity_of,
    listed,
    look_at,
    name_of,
    open_regular,
    opened,
    private_folder,
)

_READ_BYTES: Final = 1 << 20
_MODE: Final = 0o640
_SUFFIX_ROOM: Final = 225
"""Bytes of a name that leave room for a suffix."""
_READABLE: Final = (
    "Let our user read what the other program's user writes: a common group, the set-group-id bit"
    " on the folder, and a umask of 027 (internal-sftp -u 0027)."
)
_WRITABLE: Final = (
    "Let our user write in the folder (group write and the set-group-id bit, no sticky bit)."
)


class Listing(NamedTuple):
    """What lies in a folder, by place: a name, or `.edi-gateway/` and a name.

    `unusable`: names that no file may have here, shown harmlessly.
    """

    files: dict[str, Identity]
    unusable: tuple[str, ...] = ()


class Copied(NamedTuple):
    """A fsynced copy, and what the file was like when it was made."""

    path: Path
    sha256: str
    size: int
    identity: Identity


class FileChanged(Exception):
    """It was written to, or replaced, while it was copied."""


class Stopped(Exception):
    """The gateway is stopping; the copy was given up."""


class Room(Protocol):
    """Whether a file may be copied."""

    def __call__(self, size: int) -> None:
        """Raise `IntakeRefused` when not now, `FolderUnusable` when a file may not be so large."""


class WatchedFolder:
    """One inbox. `move_to`: where files go when they are ours; None: they are deleted."""

    def __init__(self, inbox: Path, move_to: Path | None) -> None:
        self.inbox = inbox
        self._move_to = move_to

    def listing(self, places: Collection[str] | None = None) -> Listing:
        """All complete-looking files, or those of these places. Raises `FolderUnusable`."""
        with self._failures("read", _READABLE), self._opened() as inbox:
            if places is not None:
                found = ((place, look_at(inbox, place)) for place in places)
                return Listing({place: each for place, each in found if each is not None})
            files, unusable = listed(inbox, "")
            with contextlib.suppress(FileNotFoundError), private_folder(inbox) as private:
                left, _ = listed(private, IN_PRIVATE)
                files |= left
        return Listing(files, tuple(unusable))

    def copy(self, place: str, incoming: Path, room: Room, stop: threading.Event) -> Copied:
        """Copy a file into `incoming`, durably, and only as a whole.

        Raises `FileChanged`, `FileNotFoundError` (also for what is no regular file), `Stopped`;
        `FolderUnusable` when it cannot be read or is too large, `IntakeRefused` without room.
        """
        with contextlib.ExitStack() as stack:
            with self._failures(f"read {name_of(place)!r}", _READABLE):
                inbox = stack.enter_context(self._opened())
                source = open_regular(inbox, place)
            stack.callback(os.close, source)
            before = identity_of(os.fstat(source))
            room(before.size)
            path = incoming / f"{secrets.token_hex(16)}.part"
            try:
                sha256, size = self._write(path, source, place, stop)
                # By descriptor: was it written to? By place: was it replaced?
                now = identity_of(os.fstat(source))
                _must_be_unchanged(now == before == look_at(inbox, place) and size == before.size)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        return Copied(path, sha256, size, before)

    def _write(self, path: Path, source: int, place: str, stop: threading.Event) -> tuple[str, int]:
        digest = hashlib.sha256()
        size = 0
        with _no_room():
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        with opened(target):
            while True:
                if stop.is_set():
                    raise Stopped
                with self._failures(f"read {name_of(place)!r}", "Check the disk it lies on."):
                    chunk = os.read(source, _READ_BYTES)
                if not chunk:
                    break
                digest.update(chunk)
                size += len(chunk)
                with _no_room():
                    view = memoryview(chunk)
                    while view:
                        view = view[os.write(target, view) :]
            with _no_room():
                fsync(target, "folder.copy")
        return digest.hexdigest(), size

    def dispose(self, place: str, identity: Identity) -> bool:
        """End a file that is durable here: delete it, or move it away without overwriting.

        False when there is another one in its place, which nobody has taken in yet. Raises
        `FolderUnusable` when our user may not; it is then still somewhere in the folder.
        """
        name = name_of(place)
        what = f"{'move' if self._move_to else 'delete'} {name!r}"
        with self._failures(what, _WRITABLE), self._opened() as inbox:
            if look_at(inbox, place) is None:
                return True  # its owner was quicker
            with contextlib.ExitStack() as stack:
                target = stack.enter_context(self._target(inbox)) if self._move_to else None
                private = stack.enter_context(private_folder(inbox, make=True))
                if place == name:
                    if look_at(private, name) is not None:
                        raise FolderUnusable(
                            f"An earlier {name!r} is still in {self.inbox / PRIVATE}.",
                            remedy="See what the log says about that one.",
                        )
                    rename(name, name, "folder.take", source_folder=inbox, target_folder=private)
                if look_at(private, name) != identity:
                    return False
                if target is None:
                    remove(name, "folder.remove", folder=private)
                else:
                    _move(name, private, target)
        return True

    @contextlib.contextmanager
    def _target(self, inbox: int) -> Iterator[int]:
        """The folder files are moved to; looked at before anything is moved."""
        assert self._move_to is not None
        try:
            descriptor = os.open(self._move_to, FOLDER)
        except OSError as error:
            raise FolderUnusable(
                f"We cannot move anything to {self._move_to}: {error.strerror or error}.",
                remedy="Create it and let our user write there, or mend folder.move_to.",
            ) from error
        with opened(descriptor) as target:
            if os.fstat(target).st_dev != os.fstat(inbox).st_dev:
                raise FolderUnusable(
                    f"{self._move_to} is on another file system than {self.inbox}.",
                    remedy="Name a folder on the same one in folder.move_to.",
                )
            yield target

    def _opened(self) -> contextlib.AbstractContextManager[int]:
        """The inbox itself. Its path is the operator's word, so links in it are followed."""
        return opened(os.open(self.inbox, FOLDER))

    @contextlib.contextmanager
    def _failures(self, what: str, remedy: str) -> Iterator[None]:
        """Turn an OSError into words; a file that is gone stays `FileNotFoundError`."""
        try:
            yield
        except FileNotFoundError:
            if self.inbox.is_dir():
                raise
            raise FolderUnusable(
                f"The folder {self.inbox} is not there.", remedy="Create it, or mend folder.inbox."
            ) from None
        except OSError as error:
            if error.errno == errno.ELOOP:  # a link where a file was
                raise FileNotFoundError(error.errno, "is a link") from error
            raise FolderUnusable(
                f"We cannot {what} in {self.inbox}: {error.strerror or error}.", remedy=remedy
            ) from error


def _move(name: str, private: int, target: int) -> None:
    """Rename into the target folder; a name that is taken there gets the time as a suffix.

    The new name is first made as an empty file: rename would silently replace what came between.
    """
    short = os.fsdecode(os.fsencode(name)[:_SUFFIX_ROOM])
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for new in (name, f"{short}.{at}", f"{short}.{at}.{secrets.token_hex(3)}"):
        try:
            os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=target))
        except FileExistsError:
            continue
        try:
            rename(name, new, "folder.move", source_folder=private, target_folder=target)
        except OSError:
            os.unlink(new, dir_fd=target)
            raise
        return
    raise FileExistsError(errno.EEXIST, "no free name for it in folder.move_to")


def _must_be_unchanged(it_is: bool) -> None:
    if not it_is:
        raise FileChanged


@contextlib.contextmanager
def _no_room() -> Iterator[None]:
    """Our own disk failed: nothing is taken in now."""
    try:
        yield
    except OSError as error:
        raise IntakeRefused(
            f"A file could not be copied into the spool: {error.strerror or error}.",
            remedy="Check the disk and the rights of paths.state. It is tried again.",
        ) from error


def room_on(free_mb: Callable[[], int], min_free_mb: int, max_bytes: int) -> Room:
    """Refuses a copy that would leave less than `min_free_mb`, and files beyond `max_bytes`."""

    def room(size: int) -> None:
        if size > max_bytes:
            raise FolderUnusable(
                f"A file has {size} bytes; {max_bytes} are taken at most.",
                remedy="Raise sftp.max_file_bytes, or have it sent in parts.",
            )
        left = free_mb() - size // 1_000_000
        if left < min_free_mb:
            raise IntakeRefused(
                "The gateway is short of disk space and takes no new files now.",
                remedy=f"Free space: a file of {size} bytes would leave {left} MB, and"
                f" intake.min_free_mb is {min_free_mb}. It waits where it is.",
            )

    return room
