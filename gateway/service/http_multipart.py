"""The file inside a multipart/form-data body (RFC 7578), taken out without holding it in memory.

The body lies in a file already; the part that has a filename is copied into another one. A second
file is refused rather than ignored: its sender would believe that it arrived. Everything here
blocks, and belongs in a thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import BinaryIO

import msgspec

from gateway.durable import fsync
from gateway.service.http_names import MAX_FIELD, filename

CHUNK_BYTES = 256 * 1024
MAX_PARTS = 100
MAX_PART_HEAD = 16 * 1024

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
"""RFC 2046 §5.1.1."""


class BadMultipart(ValueError):
    """The body is not the multipart it says it is; the message says how."""


class Part(msgspec.Struct, frozen=True):
    """The file of a part, in `path`, fsynced."""

    name: str
    content_type: str | None
    path: Path
    sha256: str
    size: int


def is_multipart(content_type: str | None) -> bool:
    """Whether a body of this type has parts."""
    return (content_type or "").partition(";")[0].strip().lower() == "multipart/form-data"


def boundary_of(content_type: str) -> bytes:
    """What stands between the parts. Raises `BadMultipart`."""
    message = Message()
    if len(content_type) <= MAX_FIELD:
        message["Content-Type"] = content_type
    try:
        found = message.get_param("boundary")
    except (ValueError, LookupError, TypeError):  # as `filename` knows them
        found = None
    if not isinstance(found, str) or not _BOUNDARY.fullmatch(found):
        raise BadMultipart("Its Content-Type names no boundary that can be used.")
    return found.encode("ascii")


def extract(body: Path, boundary: bytes, target: Path) -> Part:
    """Copy the one part with a filename into `target`, a new file.

    Raises `BadMultipart` or `BadName`; then there is no `target`.
    """
    found: Part | None = None
    with body.open("rb") as file, contextlib.ExitStack() as undo:
        reader = _Reader(file, b"\r\n--" + boundary)
        reader.until_delimiter(_ignore)  # what stands before the first part means nothing
        for _ in range(MAX_PARTS):
            head = reader.part_head()
            if head is None:
                if found is None:
                    raise BadMultipart("It has no part with a filename.")
                undo.pop_all()
                return found
            name = filename(_field(head, "Content-Disposition"))
            if name is None:
                reader.until_delimiter(_ignore)
            elif found is not None:
                raise BadMultipart("It has more than one file; send each in a request of its own.")
            else:
                undo.callback(target.unlink, missing_ok=True)
                found = _copy(reader, name, _field(head, "Content-Type"), target)
    raise BadMultipart(f"It has more than {MAX_PARTS} parts.")


def _ignore(_: bytes) -> None:
    """Not needed."""


def _copy(reader: _Reader, name: str, content_type: str | None, target: Path) -> Part:
    digest = hashlib.sha256()
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    with os.fdopen(fd, "wb") as out:

        def keep(chunk: bytes) -> None:
            digest.update(chunk)
            out.write(chunk)

        reader.until_delimiter(keep)
        out.flush()
        fsync(fd, "http.part")
        return Part(name, content_type, target, digest.hexdigest(), out.tell())


class _Reader:
    """Reads up to the next delimiter, wherever it falls between two chunks."""

    def __init__(self, file: BinaryIO, delimiter: bytes) -> None:
        self._file = file
        self._delimiter = delimiter
        # The first delimiter may stand at the very beginning, with no line before it.
        self._buffer = b"\r\n"
        self._ended = False

    def until_delimiter(self, take: Callable[[bytes], None]) -> None:
        """Hand over everything before the next delimiter, and pass it."""
        while True:
            at = self._buffer.find(self._delimiter)
            if at >= 0:
                take(self._buffer[:at])
                self._buffer = self._buffer[at + len(self._delimiter) :]
                return
            # The delimiter may have begun: so much stays for the next look.
            kept = len(self._delimiter) - 1
            if len(self._buffer) > kept:
                take(self._buffer[:-kept])
                self._buffer = self._buffer[-kept:]
            self._more()

    def part_head(self) -> bytes | None:
        """The header fields of the part that begins here; None after the last part."""
        while len(self._buffer) < 2:
            self._more()
        if self._buffer.startswith(b"--"):
            return None
        while (end := self._buffer.find(b"\r\n\r\n")) < 0 and len(self._buffer) < MAX_PART_HEAD:
            self._more()
        if not 0 <= end < MAX_PART_HEAD:
            raise BadMultipart("The head of a part is too long.")
        head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
        # White space may follow a delimiter (RFC 2046); anything else does not belong there.
        padding, found, fields = (head + b"\r\n").partition(b"\r\n")
        if padding.strip(b" \t") or not found:
            raise BadMultipart("Something follows a delimiter on its line.")
        return fields

    def _more(self) -> None:
        chunk = self._file.read(CHUNK_BYTES)
        if not chunk:
            raise BadMultipart("It ends before its last delimiter.")
        self._buffer += chunk


def _field(head: bytes, wanted: str) -> str | None:
    for line in head.decode("latin-1").replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == wanted.lower():
            return value.strip()
    return None
