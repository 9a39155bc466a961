"""SHA256SUMS of a backup: one line a file, in the form that coreutils' `sha256sum -c` reads.

Written and read line by line: a spool may hold millions of payloads.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gateway.durable import sync_file
from gateway.errors import BackupFailed
from gateway.service.backup.layout import JOURNAL, PAYLOADS, STATE, SUMS, Manifest

READ_BYTES = 1 << 20

_LINE = re.compile(rb"(\\?)([0-9a-f]{64})  ([^\n]+)\n")
_PAYLOAD = re.compile(rf"\.\./{PAYLOADS}/([0-9a-f]{{2}})/(\1[0-9a-f]{{62}})")


class Sum(msgspec.Struct, frozen=True):
    """A file of a backup: its SHA-256, and where it is seen from the backup's own folder."""

    sha256: str
    path: str

    @property
    def payload(self) -> bool:
        """Whether it is one of the payloads that backups share."""
        return self.path.startswith(f"../{PAYLOADS}/")


class SumsWriter:
    """Writes SHA256SUMS; `close` makes it durable and gives its own sum."""

    def __init__(self, backup: Path) -> None:
        self._path = backup / SUMS
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._digest = hashlib.sha256()

    def add(self, sha256: str, path: str) -> None:
        """One more file."""
        name = os.fsencode(path)
        escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
        line = (b"\\" if escaped != name else b"") + sha256.encode() + b"  " + escaped + b"\n"
        self._digest.update(line)
        self._file.write(line)

    def close(self) -> str:
        """Once all are there."""
        self._file.close()
        sync_file(self._path, "backup.sums")
        return self._digest.hexdigest()

    def abandon(self) -> None:
        """Let go of the file, whatever became of the backup."""
        self._file.close()


def read_sums(backup: Path, manifest: Manifest) -> Iterator[Sum]:
    """The files of a backup. Raises `BackupFailed` at the first line, when the list is altered."""
    path = backup / SUMS
    try:
        same = hash_file(path) == manifest.sums
    except OSError as error:
        raise BackupFailed(
            f"{path} cannot be read: {error.strerror}.", remedy="Restore another backup."
        ) from error
    if not same:
        raise BackupFailed(
            f"{path} is not the list this backup was made with: it was altered or cut.",
            remedy="Restore another backup.",
        )
    with path.open("rb") as lines:
        for line in lines:
            yield _parsed(line, path)


def hash_file(path: Path) -> str:
    """The SHA-256 of a file. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _parsed(line: bytes, file: Path) -> Sum:
    """One line; a path that leads out of the backup is refused, whoever wrote it."""
    found = _LINE.fullmatch(line)
    if found is not None:
        escaped, sha256, name = found.groups()
        if escaped:
            name = re.sub(rb"\\(.)", lambda each: b"\n" if each[1] == b"n" else each[1], name)
        path = os.fsdecode(name)
        parts = path.split("/")
        inside = parts[0] == STATE and not {"", ".", ".."} & set(parts[1:]) and len(parts) > 1
        if path == JOURNAL or inside or _PAYLOAD.fullmatch(path):
            return Sum(sha256.decode(), path)
    raise BackupFailed(
        f"{file} has a line that no backup has: {line[:120]!r}.", remedy="Restore another backup."
    )
