"""What a client sees: `/`, `/in` and `/out`, and nothing else, whatever path it asks for.

Paths from clients are looked up in this little tree and never reach the file system: names in
`in/` are keys of notes, names in `out/` are compared with what lies there. There are no links and
no way to make one, and folders cannot be made or removed.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from gateway.service.sftp_server.incoming import Incoming, Uploading
from gateway.service.sftp_server.notes import Seen, usable_name
from gateway.service.sftp_server.outgoing import Downloading, Outgoing
from gateway.service.sftp_server.protocol import Attributes, OpenFlag, Status
from gateway.service.sftp_server.refusal import Refused, of_os_error

_DENIED = Status.PERMISSION_DENIED
_FOLDER = stat.S_IFDIR | 0o700
_IN_FILE = stat.S_IFREG | 0o200
_OUT_FILE = stat.S_IFREG | 0o600


class _Place(NamedTuple):
    """A path in the tree: `folder` is "", "in" or "out"; `name` the file, None for the folder."""

    folder: str
    name: str | None = None


class Home:
    """One partner's home, for one session. Every method raises `Refused` to say no."""

    def __init__(self, incoming: Incoming, out: Outgoing) -> None:
        self._incoming = incoming
        self._out = out

    @staticmethod
    @lru_cache(maxsize=16)  # a client asks for a file by one path several times in a row
    def real_path(path: bytes) -> bytes:
        """The absolute form of a path; relative ones count from `/`. The file need not exist."""
        whole = posixpath.normpath(b"/" + path)
        # POSIX lets two leading slashes mean something special; here they do not.
        return b"/" + whole.lstrip(b"/")

    def attributes(self, path: bytes) -> Attributes:
        """The answer to stat and lstat."""
        place = self._place(path)
        if place.name is None:
            return Attributes(size=0, permissions=_FOLDER)
        if place.folder == "in":
            return _in_attributes(self._incoming.see(place.name))
        with of_os_error("found"):
            return _out_attributes(self._out.status(place.name))

    def listing(self, path: bytes) -> list[tuple[str, Attributes]]:
        """The names in a folder."""
        place = self._place(path)
        if place.name is not None:
            raise Refused(Status.FAILURE, "not a folder")
        folder = Attributes(size=0, permissions=_FOLDER)
        dots = [(".", folder), ("..", folder)]
        if not place.folder:
            return [*dots, ("in", folder), ("out", folder)]
        with of_os_error("listed"):
            if place.folder == "in":
                seen = self._incoming.notes.listing()
                return dots + [(name, _in_attributes(each)) for name, each in seen]
            entries = sorted(self._out.entries(), key=lambda entry: entry.name)
            files = []
            for entry in entries:
                try:
                    files.append((entry.name, _out_attributes(entry.stat(follow_symlinks=False))))
                except FileNotFoundError:
                    continue  # Fetched and removed by another session meanwhile.
            return dots + files

    def open(self, path: bytes, flags: OpenFlag) -> Uploading | Downloading:
        """Open a file of `in/` for writing, or of `out/` for reading."""
        place = self._place(path, creating=OpenFlag.CREATE in flags)
        if place.name is None:
            raise Refused(Status.FAILURE, "this is a folder")
        writing = OpenFlag.WRITE in flags
        if place.folder == "in":
            if not writing:
                raise Refused(_DENIED, "in/ can be written and listed, not read")
            return self._incoming.open(place.name, flags)
        if writing:
            raise Refused(_DENIED, "out/ can be read, not written")
        return self._out.open(place.name)

    def remove(self, path: bytes) -> None:
        """Remove a fetched file, or one's own partial."""
        place = self._place(path)
        if place.name is None:
            raise Refused(_DENIED, "folders stay")
        if place.folder == "in":
            self._incoming.remove(place.name)
            return
        self._out.remove(place.name)

    def rename(self, old: bytes, new: bytes, alive: Callable[[], bool]) -> None:
        """Rename within `in/`."""
        source, target = self._place(old), self._place(new, creating=True)
        if source.folder != "in" or target.folder != "in":
            raise Refused(_DENIED, "files can be renamed within in/ only")
        if source.name is None or target.name is None:
            raise Refused(_DENIED, "folders stay as they are")
        self._incoming.rename(source.name, target.name, alive)

    def set_attributes(self, path: bytes, wanted: Attributes) -> None:
        """Times and permissions are accepted and mean nothing; owners and longer sizes are not."""
        may_set(wanted)
        place = self._place(path)
        if place.name is None:
            if wanted.size is not None:
                raise Refused(_DENIED, "folders stay as they are")
        elif place.folder == "in":
            self._incoming.see(place.name)
            if wanted.size is not None:
                self._incoming.truncate(place.name, wanted.size)
        else:
            self._out.status(place.name)
            if wanted.size is not None:
                raise Refused(_DENIED, "out/ can be read, not written")

    def make_folder(self, path: bytes) -> None:
        """There are two folders, and that is all."""
        place = self.real_path(path)
        known = place in {b"/", b"/in", b"/out"}
        raise Refused(Status.FAILURE if known else _DENIED, "no folders can be made here")

    def _place(self, path: bytes, *, creating: bool = False) -> _Place:
        parts = [part for part in self.real_path(path).split(b"/") if part]
        if not parts:
            return _Place("")
        folder = {b"in": "in", b"out": "out"}.get(parts[0])
        if folder is None or len(parts) > 2:
            if creating:
                raise Refused(_DENIED, "files go into in/")
            raise Refused(Status.NO_SUCH_FILE, "no such file")
        if len(parts) == 1:
            return _Place(folder)
        name = usable_name(parts[1])
        if name is None:
            if creating:
                raise Refused(
                    Status.FAILURE,
                    "not a usable name: 255 bytes of UTF-8 at most, no control characters",
                )
            raise Refused(Status.NO_SUCH_FILE, "no such file")
        return _Place(folder, name)


def may_set(wanted: Attributes) -> None:
    """Raise `Refused` for an attribute nobody may set here."""
    if wanted.owner:
        raise Refused(_DENIED, "owners cannot be changed")


def upload_attributes(size: int) -> Attributes:
    """The attributes of an upload that is open."""
    return Attributes(size=size, permissions=_IN_FILE)


def _in_attributes(seen: Seen) -> Attributes:
    return Attributes(size=seen.size, permissions=_IN_FILE, mtime=seen.mtime)


def download_attributes(handle: Downloading) -> Attributes:
    """Size and time of a file of `out/` that is open, as they are now."""
    return _out_attributes(handle.status())


def _out_attributes(status: os.stat_result) -> Attributes:
    return Attributes(
        size=status.st_size, permissions=_OUT_FILE, mtime=min(int(status.st_mtime), 0xFFFFFFFF)
    )
