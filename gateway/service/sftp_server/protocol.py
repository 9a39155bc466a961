"""SFTP version 3, what clients ask: bytes in, requests out (`replies` has the way back). No I/O.

The packets are those of draft-ietf-secsh-filexfer-02, plus four extensions OpenSSH added:
posix-rename, fsync and limits (offered), hardlink (known, so that it can be refused by name).

paramiko has an SFTP server of its own. It is not used, because it answers a failed close with no
text, runs every close a second time when the session ends, does not offer posix-rename, and reads
files for a client's check-file request; a request decoder is shorter than its list of exceptions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
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
SIZE, OWNER, PERMISSIONS, TIMES = 0x1, 0x2, 0x4, 0x8
"""Which attributes a packet holds (§5)."""


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
        size = self.long() if flags & SIZE else None
        if flags & OWNER:
            self.raw(8)
        permissions = self.integer() if flags & PERMISSIONS else None
        mtime = None
        if flags & TIMES:
            self.integer()
            mtime = self.integer()
        return Attributes(size, bool(flags & OWNER), permissions, mtime)


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
