"""What `in/` remembers about a name, and the lock that lets one session at a time work on it.

No name from a client ever becomes a path. A name is known by the SHA-256 of its UTF-8 bytes:

    <key>.json   the note: the name itself and how things stand
    <key>.part   the bytes of an upload that has not been taken in

A partial under a final name is shown one byte shorter than it is. A client whose connection broke
after the last byte but before the close would otherwise see the full size, believe that all is
done, and never close: nothing would be taken in. This way it has a byte left to send.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import secrets
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import msgspec

from gateway.durable import rename

MAX_NAME_BYTES = 255
TEMPORARY_SUFFIXES = (".part", ".filepart", ".tmp")
LOCK_FILE = "locks"
_FORBIDDEN = frozenset({"Cc", "Zl", "Zp", "Cs"})


class Standing(StrEnum):
    """How things stand with a name."""

    OPEN = "open"
    """Being uploaded, or cut off: can be resumed."""
    KEPT = "kept"
    """Closed by its sender, and waits for the rename to its final name."""
    ACCEPTED = "accepted"
    """Durably received. Shown for a while at full size, for clients that look after a put."""


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """The note of one name. `at` is the time of acceptance, in seconds since 1970."""

    name: str
    standing: Standing = Standing.OPEN
    size: int = 0
    interchange: str = ""
    at: float = 0.0


_OURS = secrets.token_hex(8)
_numbers = itertools.count()
"""Name temporary files, of this process and of none that was killed with its files half-written."""

_NOTE_BYTES = 4096
"""A name of 255 bytes in JSON, and the rest of a note, take less than half of this."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Note).decode


@dataclass(frozen=True, slots=True)
class Seen:
    """A name as clients see it."""

    size: int
    mtime: int


def usable_name(raw: bytes) -> str | None:
    """The name as text, or None if it may not name a file: see the checks."""
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if not name or name in {".", ".."} or "/" in name or len(raw) > MAX_NAME_BYTES:
        return None
    if name.isascii():
        return name if name.isprintable() else None
    if any(unicodedata.category(character) in _FORBIDDEN for character in name):
        return None
    return name


def is_temporary(name: str) -> bool:
    """Whether a file of this name is still on its way: only a rename makes it final."""
    return name.startswith(".") or name.lower().endswith(TEMPORARY_SUFFIXES)


@lru_cache(maxsize=1024)
def key_of(name: str) -> str:
    """What stands for the name on disk."""
    return hashlib.sha256(name.encode()).hexdigest()


class Notes:
    """The notes and bytes of one partner's `in/`. Every method blocks, briefly."""

    def __init__(self, folder: Path, *, visible_seconds: float) -> None:
        self.folder = folder
        self._within = f"{folder}{os.sep}"
        self._visible_seconds = visible_seconds

    def part(self, name: str) -> str:
        """Where the bytes of an upload lie until it is handed over."""
        return f"{self._within}{key_of(name)}.part"

    def read(self, name: str) -> Note | None:
        """The note of `name`."""
        return self.load(self._note(name))

    def write(self, note: Note) -> None:
        """Set the note. Not fsynced: it is a convenience, what was promised is in the journal."""
        path = self._note(note.name)
        temporary = f"{path}.{_OURS}{next(_numbers):x}.new"
        _create(temporary, note)
        rename(temporary, path, "sftp.note")

    def begin(self, note: Note) -> None:
        """Set the note of a name that has none, most likely.

        Seen before it is whole it is as good as none, which it was a moment ago.
        """
        try:
            _create(self._note(note.name), note)
        except FileExistsError:
            self.write(note)

    def _note(self, name: str) -> str:
        return f"{self._within}{key_of(name)}.json"

    def forget(self, name: str) -> None:
        """Remove the note; bytes are left alone."""
        with suppress(FileNotFoundError):
            os.unlink(self._note(name))

    def forget_part(self, name: str) -> None:
        """Remove the partial, if there is one."""
        with suppress(FileNotFoundError):
            os.unlink(self.part(name))

    def part_size(self, name: str) -> int | None:
        """Bytes in the partial of `name`, if there is one."""
        try:
            return os.stat(self.part(name)).st_size
        except FileNotFoundError:
            return None

    def see(self, name: str) -> Seen | None:
        """The name as clients see it, or None if for them there is no such file."""
        note = self.read(name)
        return None if note is None else self.seen(note)

    def listing(self) -> list[tuple[str, Seen]]:
        """Every name clients see, in order."""
        found = []
        for entry in os.scandir(self.folder):
            if entry.name.endswith(".json"):
                note = self.load(entry.path)
                seen = None if note is None else self.seen(note)
                if note is not None and seen is not None:
                    found.append((note.name, seen))
        return sorted(found)

    def seen(self, note: Note) -> Seen | None:
        """What clients see of the name this is the note of."""
        try:
            status = os.stat(self.part(note.name))
        except FileNotFoundError:
            fresh = note.at + self._visible_seconds > time.time()
            if note.standing is Standing.ACCEPTED and fresh:
                return Seen(note.size, int(note.at))
            return None
        whole = note.standing is Standing.KEPT or is_temporary(note.name)
        return Seen(status.st_size if whole else max(0, status.st_size - 1), int(status.st_mtime))

    @staticmethod
    def load(path: Path | str) -> Note | None:
        """The note in this file, if it can be read."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return _decode(os.read(descriptor, _NOTE_BYTES))
        except msgspec.DecodeError:
            # A note cut short by a crash is as good as none: the partner sends again.
            return None
        finally:
            os.close(descriptor)


def _create(path: str, note: Note) -> None:
    """Raises FileExistsError when it is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, _encode(note))
    finally:
        os.close(descriptor)


class NameLocks:
    """One session at a time per name, over all threads and all SFTP processes of this folder.

    Between processes: a lock on one byte of a lock file, at an offset derived from the name, so
    that there is nothing to clean up and nothing to race for. POSIX drops a process's locks when
    it closes *any* descriptor of the file, so this one is opened once and never closed; and
    because those locks do not exclude threads, a set does.
    """

    def __init__(self, folder: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(folder / LOCK_FILE, flags, 0o600)
        self._held: set[str] = set()
        self._guard = threading.Lock()

    def take(self, key: str, *, wait: float = 0.0) -> bool:
        """Take the lock, trying for `wait` seconds; False if another session has it."""
        deadline = time.monotonic() + wait
        while not self._try(key):
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        return True

    def give_back(self, key: str) -> None:
        """Let others have it."""
        with self._guard:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, int(key[:15], 16))
            self._held.discard(key)

    @contextmanager
    def holding(self, *keys: str, wait: float = 0.0) -> Iterator[bool]:
        """Hold all of `keys`, or none; yields which."""
        taken: list[str] = []
        try:
            for key in keys:
                if not self.take(key, wait=wait):
                    break
                taken.append(key)
            yield len(taken) == len(keys)
        finally:
            for key in taken:
                self.give_back(key)

    def _try(self, key: str) -> bool:
        with self._guard:
            if key in self._held:
                return False
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(key[:15], 16))
            except OSError:
                return False
            self._held.add(key)
            return True
