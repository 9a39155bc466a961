"""Which files of a remote folder may be fetched now. Pure: a listing in, decisions out.

A file is ready when two looks at least `stable_seconds` apart found the same size and time. With
a marker suffix it is ready once its marker is there, and nothing else counts.

Whoever lists a hundred thousand files must not make us hold them all: so many are watched at
once, and the others wait until those are gone.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.service.sftp_client.words import Entry
from gateway.service.sftp_server.notes import is_temporary, usable_name
from gateway.service.sftp_server.protocol import Attributes

MAX_WATCHED = 10_000
MAX_TOLD = 10_000


@dataclass(frozen=True, slots=True)
class Ready:
    """A file to fetch. `name` as the server has it, `text` for our own records."""

    name: bytes
    text: str
    size: int
    mtime: int | None

    def is_still(self, found: Attributes) -> bool:
        """Whether what is there now is the same file, as far as anybody can tell."""
        return is_file(found) and (found.size, found.mtime) == (self.size, self.mtime)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file that will not be fetched as it is; told once."""

    name: str
    why: str
    remedy: str


@dataclass(slots=True)
class Found:
    """What one look found. `waiting`: files that may be ready at the next look.

    With markers, `marked` are the names that have one, still to be looked at.
    """

    ready: list[Ready] = field(default_factory=list)
    marked: list[bytes] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)
    waiting: int = 0
    more: bool = False


@dataclass(slots=True)
class _Watched:
    size: int
    mtime: int | None
    since: float


def is_file(attributes: Attributes) -> bool:
    """A regular file: no folder, link or device. Few servers say nothing about it."""
    permissions = attributes.permissions
    return permissions is None or stat.S_IFMT(permissions) in {0, stat.S_IFREG}


class Looks:
    """What earlier looks at one folder saw."""

    def __init__(self, *, stable_seconds: float, marker_suffix: str, max_bytes: int) -> None:
        self._stable_seconds = stable_seconds
        self._suffix = marker_suffix.encode()
        self._max_bytes = max_bytes
        self._watched: dict[bytes, _Watched] = {}
        self._told: set[tuple[bytes, int | None, int | None]] = set()

    def look(self, listing: Iterable[Entry], now: float) -> Found:
        """Compare a listing, taken at `now` (monotonic seconds), with the looks before it."""
        found = Found()
        if self._suffix:
            self._markers(listing, found)
        else:
            self._stable(listing, now, found)
        return found

    def _markers(self, listing: Iterable[Entry], found: Found) -> None:
        for entry in listing:
            name = entry.name
            if not (name.endswith(self._suffix) and is_file(entry.attributes)):
                continue
            if len(found.marked) == MAX_WATCHED:
                found.more = True
                return
            if name != self._suffix:
                found.marked.append(name.removesuffix(self._suffix))

    def _stable(self, listing: Iterable[Entry], now: float, found: Found) -> None:
        before, self._watched = self._watched, {}
        unseen = set(before)
        for entry in listing:
            unseen.discard(entry.name)
            if len(self._watched) >= MAX_WATCHED and entry.name not in before:
                found.more = True
                if not unseen:
                    break
                continue
            ready = self.usable(entry.name, entry.attributes, found)
            if ready is None:
                continue
            watched = before.get(entry.name)
            if watched is None or (watched.size, watched.mtime) != (ready.size, ready.mtime):
                watched = _Watched(ready.size, ready.mtime, now)
            self._watched[entry.name] = watched
            if now - watched.since >= self._stable_seconds:
                found.ready.append(ready)
            else:
                found.waiting += 1
        found.ready.sort(key=_age)

    def usable(self, name: bytes, attributes: Attributes, found: Found) -> Ready | None:
        """The file, if it is one that is ever fetched; why not goes to `found`, once."""
        if name in {b".", b".."} or not is_file(attributes):
            return None
        text = usable_name(name)
        if text is not None and is_temporary(text):
            return None
        size = attributes.size
        if text is None:
            self._tell(
                name,
                attributes,
                "Its name holds control characters or a slash, is not UTF-8, or is too long.",
                "Ask the partner to give it another name.",
                found,
            )
        elif size is None:
            self._tell(name, attributes, "The server does not say its size.", "", found)
        elif size > self._max_bytes:
            self._tell(
                name,
                attributes,
                f"It has {size} bytes; sftp.max_file_bytes is {self._max_bytes}.",
                "Raise sftp.max_file_bytes, or ask the partner for smaller files.",
                found,
            )
        else:
            return Ready(name, text, size, attributes.mtime)
        return None

    def _tell(
        self, name: bytes, attributes: Attributes, why: str, remedy: str, found: Found
    ) -> None:
        about = (name, attributes.size, attributes.mtime)
        if about in self._told:
            return
        if len(self._told) >= MAX_TOLD:
            self._told.clear()  # rather told again than never
        self._told.add(about)
        found.passed_over.append(PassedOver(name.decode("utf-8", "replace"), why, remedy))

    def forget(self, name: bytes) -> None:
        """It changed, or is gone: whatever comes under this name is looked at afresh."""
        self._watched.pop(name, None)


def _age(ready: Ready) -> tuple[int, bytes]:
    return (ready.mtime or 0, ready.name)
