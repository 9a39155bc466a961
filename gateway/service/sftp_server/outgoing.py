"""One partner's `out/`: acknowledgements to fetch, and what becomes of them once they are fetched.

A file counts as fetched when the partner has read all of it, without a gap, from one handle, and
then closed that handle: a download that was resumed or cut off does not count, and nothing is
lost by that but that the file stays. Where once-only retrieval is agreed the file is removed then,
after the daemon has it in the journal.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from gateway.durable import remove, sync_folder
from gateway.service.sftp_server.folders import is_out_name
from gateway.service.sftp_server.protocol import MAX_DATA, Status
from gateway.service.sftp_server.refusal import Refused, of_os_error

MAX_PIECES: Final = 10_000
"""Pieces read ahead of a gap that are kept in mind: no client reads like that."""

Tell = Callable[[str], bool]
"""Tells the daemon about a file by its name; whether the file may be removed."""


class Downloading:
    """An open file of `out/`. `whole` is called when the client has read all of it."""

    def __init__(self, descriptor: int, whole: Callable[[os.stat_result], None]) -> None:
        self._descriptor = descriptor
        self._whole = whole
        self._to = 0
        self._ahead: dict[int, int] = {}

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes at `offset`; empty at the end. Raises `Refused`."""
        with of_os_error("read"):
            content = os.pread(self._descriptor, min(length, MAX_DATA), offset)
        self._note(offset, offset + len(content))
        return content

    def status(self) -> os.stat_result:
        """What the file is like now. Raises `Refused`."""
        with of_os_error("read"):
            return os.fstat(self._descriptor)

    def close(self) -> None:
        """The client closes it: what it has read to the end is fetched."""
        status = os.fstat(self._descriptor)
        self.abandon()
        if self._to >= status.st_size:
            self._whole(status)

    def abandon(self) -> None:
        """Let the file go."""
        os.close(self._descriptor)

    def _note(self, start: int, end: int) -> None:
        """Clients ask ahead, and not always in order."""
        if start > self._to:
            if len(self._ahead) < MAX_PIECES:
                self._ahead[start] = max(end, self._ahead.get(start, 0))
            return
        self._to = max(self._to, end)
        while self._ahead and (first := min(self._ahead)) <= self._to:
            self._to = max(self._to, self._ahead.pop(first))


class Outgoing:
    """The files in `folder`. Every method raises `Refused` to say no.

    `fetched` hears of every file that was read to its end; with `once_only` the file is removed
    when it answers that it may be.
    """

    def __init__(self, folder: Path, *, once_only: bool, fetched: Tell, log: Any) -> None:
        self._folder = folder
        self._once_only = once_only
        self._fetched = fetched
        self._log = log

    def entries(self) -> list[os.DirEntry[str]]:
        """What lies there, complete."""
        with os.scandir(self._folder) as entries:
            return [
                entry
                for entry in entries
                if is_out_name(entry.name) and entry.is_file(follow_symlinks=False)
            ]

    def status(self, name: str) -> os.stat_result:
        """What the file of this name is like.

        Only what could be a name of ours is looked for: it holds neither `/` nor a leading dot. The
        folder is not read for it; thousands may lie there, and each is asked for twice.
        """
        with of_os_error("found"):
            if is_out_name(name):
                with suppress(FileNotFoundError):
                    status = os.lstat(self._folder / name)
                    if stat.S_ISREG(status.st_mode):
                        return status
        raise Refused(Status.NO_SUCH_FILE, "no such file")

    def open(self, name: str) -> Downloading:
        """For reading."""
        self.status(name)
        with of_os_error("opened"):
            descriptor = os.open(
                self._folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            )
        return Downloading(descriptor, lambda status: self._read_whole(name, status))

    def remove(self, name: str) -> None:
        """The partner has no need of it any more."""
        self.status(name)
        with of_os_error("removed"):
            remove(self._folder / name, "out.fetched")

    def _read_whole(self, name: str, status: os.stat_result) -> None:
        if not self._fetched(name) or not self._once_only:
            return
        try:
            if remove_unchanged(self._folder / name, status):
                sync_folder(self._folder, "out.folder")
        except OSError as error:  # It stays, and the partner has it: no reason to say no.
            self._log.error("sftp_fetched_not_removed", name=name, error=str(error))


def expire(folder: Path, before: float, expired: Tell) -> None:
    """Remove the files that are older than `before` (seconds since 1970), once `expired` agrees.

    The oldest goes first.
    """
    old: list[tuple[float, str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_out_name(entry.name) and entry.is_file(follow_symlinks=False):
                changed = entry.stat(follow_symlinks=False).st_mtime
                if changed < before:
                    old.append((changed, entry.name))
    removed = False
    for _, name in sorted(old):
        with suppress(FileNotFoundError):  # fetched meanwhile
            status = os.lstat(folder / name)
            if status.st_mtime < before and expired(name):
                removed = remove_unchanged(folder / name, status) or removed
    if removed:
        sync_folder(folder, "out.folder")


def remove_unchanged(path: Path, status: os.stat_result) -> bool:
    """Remove the file, unless another one has its name meanwhile: it was sent again."""
    try:
        if path.stat().st_ino != status.st_ino:
            return False
        remove(path, "out.fetched")
    except FileNotFoundError:
        return False
    return True
