"""SFTP version 3, the client's half: requests as bytes, answers as values. No I/O.

paramiko has an SFTP client of its own. It is not used: it raises on a folder that holds one name
which is not UTF-8, swallows the answer to a close, and does not tell an error that ends the
connection from one that does not.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.service.sftp_server.fields import INT, LONG, Fields, Short
from gateway.service.sftp_server.protocol import (
    VERSION,
    Attributes,
    Kind,
    OpenFlag,
    ProtocolError,
)

MAX_ANSWER_BYTES = 1 << 20
"""OpenSSH's longest answer is a quarter of this."""
POSIX_RENAME = b"posix-rename@openssh.com"
FSYNC = b"fsync@openssh.com"

_EXTENDED_ATTRIBUTES = 0x80000000
_NO_ATTRIBUTES = INT.pack(0)


# ---- requests


def _packet(kind: Kind, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return INT.pack(len(body) + 1) + bytes((kind,)) + body


def _string(value: bytes) -> bytes:
    return INT.pack(len(value)) + value


def init() -> bytes:
    """The first packet."""
    return _packet(Kind.INIT, INT.pack(VERSION))


def about(number: int, kind: Kind, *strings: bytes) -> bytes:
    """A request about one or two paths, or a handle."""
    return _packet(kind, INT.pack(number), *map(_string, strings))


def extended(number: int, name: bytes, *strings: bytes) -> bytes:
    """A request of an extension."""
    return about(number, Kind.EXTENDED, name, *strings)


def open_file(number: int, path: bytes, flags: OpenFlag) -> bytes:
    """Open a file; one that is made gets the server's usual rights."""
    return _packet(Kind.OPEN, INT.pack(number), _string(path), INT.pack(flags), _NO_ATTRIBUTES)


def read(number: int, handle: bytes, offset: int, length: int) -> bytes:
    """Read at an offset."""
    return _packet(
        Kind.READ, INT.pack(number), _string(handle), LONG.pack(offset), INT.pack(length)
    )


def write(number: int, handle: bytes, offset: int, content: bytes) -> bytes:
    """Write at an offset."""
    return _packet(
        Kind.WRITE, INT.pack(number), _string(handle), LONG.pack(offset), _string(content)
    )


# ---- answers


@dataclass(frozen=True, slots=True)
class Version:
    """The server's first packet; `extensions` are the names it offers."""

    extensions: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a request ended: a status code, and words that are only for humans."""

    number: int
    code: int
    words: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A file or a folder was opened."""

    number: int
    handle: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that were read."""

    number: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder: bytes, for nothing says that they are text."""

    name: bytes
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Names:
    """Some entries of a folder."""

    number: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """The attributes of a file."""

    number: int
    attributes: Attributes


Answer = Ended | Opened | Content | Names | Looked


class _Fields(Fields):
    """The fields of an answer. Raises `ProtocolError` beyond its end."""

    def raw(self, count: int) -> bytes:
        try:
            return super().raw(count)
        except Short:
            raise ProtocolError("an answer is shorter than its fields") from None

    def attributes(self) -> Attributes:
        flags = self.integer()
        found = self.attributes_of(flags)
        if flags & _EXTENDED_ATTRIBUTES:
            for _ in range(self.integer()):
                self.string()
                self.string()
        return found

    def entry(self) -> Entry:
        name = self.string()
        self.string()  # the line for `ls -l`
        return Entry(name, self.attributes())


def packet_length(head: bytes) -> int:
    """The length that the first four bytes of a packet announce. Raises `ProtocolError`."""
    length: int = INT.unpack(head)[0]
    if not 1 <= length <= MAX_ANSWER_BYTES:
        raise ProtocolError(f"a packet of {length} bytes")
    return length


def version(packet: bytes) -> Version:
    """The server's first packet. Raises `ProtocolError`."""
    fields = _Fields(packet, 1)
    if packet[0] != Kind.VERSION or fields.integer() < VERSION:
        raise ProtocolError("not SFTP version 3")
    extensions = set()
    while fields.left:
        extensions.add(fields.string())
        fields.string()
    return Version(frozenset(extensions))


def answer(packet: bytes) -> Answer:
    """Any further packet. Raises `ProtocolError`."""
    fields = _Fields(packet, 1)
    number = fields.integer()
    match packet[0]:
        case Kind.STATUS:
            code = fields.integer()
            # Old servers leave the words out.
            words = fields.string() if fields.left else b""
            return Ended(number, code, words.decode("utf-8", "replace"))
        case Kind.HANDLE:
            return Opened(number, fields.string())
        case Kind.DATA:
            return Content(number, fields.string())
        case Kind.NAME:
            return Names(number, tuple(fields.entry() for _ in range(fields.integer())))
        case Kind.ATTRS:
            return Looked(number, fields.attributes())
    raise ProtocolError(f"an answer of type {packet[0]}")
