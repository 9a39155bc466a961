"""SFTP version 3 as values: bytes in, requests out; replies in, bytes out. No sockets, no files.

The packets are those of draft-ietf-secsh-filexfer-02, plus four extensions OpenSSH added:
posix-rename, fsync and limits (offered), hardlink (known, so that it can be refused by name).

paramiko has an SFTP server of its own. It is not used, because it answers a failed close with no
text, runs every close a second time when the session ends, does not offer posix-rename, and reads
files for a client's check-file request; a request decoder is shorter than its list of exceptions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Final

VERSION: Final = 3
MAX_PACKET: Final = 262_144
"""OpenSSH's own limit; a longer packet is no SFTP."""
MAX_DATA: Final = MAX_PACKET - 1024
MAX_HANDLES: Final = 64


class Kind(IntEnum):
    """The type byte of a packet (draft-ietf-secsh-filexfer-02 §3)."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200
    EXTENDED_REPLY = 201


class Status(IntEnum):
    """Error codes (§7)."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    OP_UNSUPPORTED = 8


class OpenFlag(IntFlag):
    """How a file is opened (§6.3)."""

    READ = 0x1
    WRITE = 0x2
    APPEND = 0x4
    CREATE = 0x8
    TRUNCATE = 0x10
    EXCLUSIVE = 0x20


class ProtocolError(Exception):
    """The stream is not SFTP (any more): the session has to end."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """A file's attributes (§5); None is "not said". `mtime` in seconds since 1970."""

    size: int | None = None
    owner: bool = False
    permissions: int | None = None
    mtime: int | None = None


@dataclass(frozen=True, slots=True)
class Init:
    """The client's first packet."""

    version: int


@dataclass(frozen=True, slots=True)
class Open:
    """Open a file."""

    id: int
    path: bytes
    flags: OpenFlag
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Read:
    """Read at an offset."""

    id: int
    handle: bytes
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Write:
    """Write at an offset."""

    id: int
    handle: bytes
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class OnPath:
    """LSTAT, STAT, OPENDIR, REMOVE, MKDIR, RMDIR, REALPATH or READLINK of a path."""

    id: int
    kind: Kind
    path: bytes


@dataclass(frozen=True, slots=True)
class OnHandle:
    """CLOSE, FSTAT or READDIR of a handle."""

    id: int
    kind: Kind
    handle: bytes


@dataclass(frozen=True, slots=True)
class SetPath:
    """SETSTAT."""

    id: int
    path: bytes
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class SetHandle:
    """FSETSTAT."""

    id: int
    handle: bytes
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Rename:
    """RENAME, or posix-rename@openssh.com."""

    id: int
    old: bytes
    new: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """SYMLINK or hardlink@openssh.com; the two paths are of no interest to a server without."""

    id: int


@dataclass(frozen=True, slots=True)
class Sync:
    """fsync@openssh.com."""

    id: int
    handle: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """limits@openssh.com."""

    id: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A request or extension this server does not have."""

    id: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """A request whose fields do not fit its length."""

    id: int


Request = (
    Init
    | Open
    | Read
    | Write
    | OnPath
    | OnHandle
    | SetPath
    | SetHandle
    | Rename
    | Link
    | Sync
    | Limits
    | Unknown
    | Malformed
)

_ON_PATH = frozenset(
    {
        Kind.LSTAT,
        Kind.STAT,
        Kind.OPENDIR,
        Kind.REMOVE,
        Kind.MKDIR,
        Kind.RMDIR,
        Kind.REALPATH,
        Kind.READLINK,
    }
)
_ON_HANDLE = frozenset({Kind.CLOSE, Kind.FSTAT, Kind.READDIR})
_INT = struct.Struct(">I")
_LONG = struct.Struct(">Q")
_SIZE, _OWNER, _PERMISSIONS, _TIMES, _EXTENDED = 0x1, 0x2, 0x4, 0x8, 0x80000000


class _Short(Exception):
    """A field reaches beyond its packet."""


class _Fields:
    """Takes field after field from a packet."""

    def __init__(self, packet: bytes, position: int) -> None:
        self._packet = packet
        self._position = position

    def raw(self, count: int) -> bytes:
        start, end = self._position, self._position + count
        if end > len(self._packet):
            raise _Short
        self._position = end
        return self._packet[start:end]

    def integer(self) -> int:
        value: int = _INT.unpack(self.raw(4))[0]
        return value

    def long(self) -> int:
        value: int = _LONG.unpack(self.raw(8))[0]
        return value

    def string(self) -> bytes:
        return self.raw(self.integer())

    def attributes(self) -> Attributes:
        flags = self.integer()
        size = self.long() if flags & _SIZE else None
        if flags & _OWNER:
            self.raw(8)
        permissions = self.integer() if flags & _PERMISSIONS else None
        mtime = None
        if flags & _TIMES:
            self.integer()
            mtime = self.integer()
        return Attributes(size, bool(flags & _OWNER), permissions, mtime)


@dataclass(slots=True)
class Decoder:
    """Bytes as they come, requests as they complete."""

    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, chunk: bytes) -> Iterator[Request]:
        """Yield every request that `chunk` completes. Raises `ProtocolError`."""
        self._buffer += chunk
        while len(self._buffer) >= 4:
            size = _INT.unpack_from(self._buffer)[0]
            if not 1 <= size <= MAX_PACKET:
                raise ProtocolError(f"a packet of {size} bytes")
            if len(self._buffer) < 4 + size:
                return
            with memoryview(self._buffer) as view:
                packet = bytes(view[4 : 4 + size])
            del self._buffer[: 4 + size]
            yield _request(packet)


def _request(packet: bytes) -> Request:
    fields = _Fields(packet, 1)
    try:
        number = fields.integer()
    except _Short:
        raise ProtocolError("a packet without a request number") from None
    if packet[0] == Kind.INIT:
        return Init(number)
    try:
        return _body(packet[0], number, fields)
    except _Short:
        return Malformed(number)


def _body(kind: int, number: int, fields: _Fields) -> Request:
    if kind == Kind.WRITE:
        return Write(number, fields.string(), fields.long(), fields.string())
    if kind == Kind.READ:
        return Read(number, fields.string(), fields.long(), fields.integer())
    if kind in _ON_PATH:
        return OnPath(number, Kind(kind), fields.string())
    if kind in _ON_HANDLE:
        return OnHandle(number, Kind(kind), fields.string())
    match kind:
        case Kind.OPEN:
            path = fields.string()
            return Open(number, path, OpenFlag(fields.integer() & 0x3F), fields.attributes())
        case Kind.SETSTAT:
            return SetPath(number, fields.string(), fields.attributes())
        case Kind.FSETSTAT:
            return SetHandle(number, fields.string(), fields.attributes())
        case Kind.RENAME:
            return Rename(number, fields.string(), fields.string())
        case Kind.SYMLINK:
            return Link(number)
        case Kind.EXTENDED:
            return _extended(fields.string(), number, fields)
    return Unknown(number)


def _extended(name: bytes, number: int, fields: _Fields) -> Request:
    match name:
        case b"posix-rename@openssh.com":
            return Rename(number, fields.string(), fields.string())
        case b"fsync@openssh.com":
            return Sync(number, fields.string())
        case b"limits@openssh.com":
            return Limits(number)
        case b"hardlink@openssh.com":
            return Link(number)
    return Unknown(number)


# ---- replies


def _packet(kind: Kind, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return _INT.pack(len(body) + 1) + bytes((kind,)) + body


def _string(value: bytes) -> bytes:
    return _INT.pack(len(value)) + value


def _attributes(attributes: Attributes) -> bytes:
    flags, parts = 0, []
    if attributes.size is not None:
        flags |= _SIZE
        parts.append(_LONG.pack(attributes.size))
    if attributes.permissions is not None:
        flags |= _PERMISSIONS
        parts.append(_INT.pack(attributes.permissions))
    if attributes.mtime is not None:
        flags |= _TIMES
        parts.append(_INT.pack(attributes.mtime) * 2)
    return _INT.pack(flags) + b"".join(parts)


def version() -> bytes:
    """The server's first packet, with the extensions it offers."""
    offered = (
        (b"posix-rename@openssh.com", b"1"),
        (b"fsync@openssh.com", b"1"),
        (b"limits@openssh.com", b"1"),
    )
    pairs = (_string(name) + _string(value) for name, value in offered)
    return _packet(Kind.VERSION, _INT.pack(VERSION), *pairs)


def status(number: int, code: Status, text: str = "") -> bytes:
    """How a request ended; `text` is for a human (the language tag stays empty)."""
    words = text or code.name.replace("_", " ").capitalize()
    return _packet(
        Kind.STATUS,
        _INT.pack(number),
        _INT.pack(code),
        _string(words.encode("utf-8", "replace")),
        _string(b""),
    )


def handle(number: int, name: bytes) -> bytes:
    """A file or directory was opened."""
    return _packet(Kind.HANDLE, _INT.pack(number), _string(name))


def data(number: int, content: bytes) -> bytes:
    """Bytes that were read."""
    return _packet(Kind.DATA, _INT.pack(number), _string(content))


def attributes(number: int, values: Attributes) -> bytes:
    """The answer to a stat."""
    return _packet(Kind.ATTRS, _INT.pack(number), _attributes(values))


def names(number: int, entries: Sequence[tuple[bytes, bytes, Attributes]]) -> bytes:
    """Directory entries: name, line for `ls -l`, attributes. Also the answer to a realpath."""
    parts = [_string(name) + _string(line) + _attributes(values) for name, line, values in entries]
    return _packet(Kind.NAME, _INT.pack(number), _INT.pack(len(entries)), *parts)


def limits(number: int) -> bytes:
    """The answer to limits@openssh.com: packet, read, write, handles."""
    values = (MAX_PACKET, MAX_DATA, MAX_DATA, MAX_HANDLES)
    return _packet(Kind.EXTENDED_REPLY, _INT.pack(number), *(_LONG.pack(v) for v in values))
