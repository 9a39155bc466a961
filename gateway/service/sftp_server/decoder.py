"""SFTP version 3, what clients ask: bytes in, requests out. No I/O; a packet is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.service.sftp_server.fields import INT, Fields, Short
from gateway.service.sftp_server.protocol import (
    MAX_PACKET,
    Init,
    Kind,
    Limits,
    Link,
    Malformed,
    OnHandle,
    OnPath,
    Open,
    OpenFlag,
    ProtocolError,
    Read,
    Rename,
    Request,
    SetHandle,
    SetPath,
    Sync,
    Unknown,
    Write,
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


_QUICK = frozenset({Kind.OPEN, Kind.WRITE, Kind.FSTAT, Kind.STAT, Kind.LSTAT, Kind.FSETSTAT})
"""Answered soon: nothing is made durable, and the daemon is not asked. To open a name that another
connection has open waits two seconds at most."""
_SHORTEST = 4 + 1 + 4
"""A size, a kind and a number."""


@dataclass(slots=True)
class Decoder:
    """Bytes as they come, requests as they complete."""

    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, chunk: bytes) -> Iterator[Request]:
        """Yield every request that `chunk` completes. Raises `ProtocolError`."""
        self._buffer += chunk
        while len(self._buffer) >= 4:
            size = INT.unpack_from(self._buffer)[0]
            if not 1 <= size <= MAX_PACKET:
                raise ProtocolError(f"a packet of {size} bytes")
            if len(self._buffer) < 4 + size:
                return
            with memoryview(self._buffer) as view:
                packet = bytes(view[: 4 + size])
            del self._buffer[: 4 + size]
            yield _request(packet)

    def quick(self, chunk: bytes) -> Request | None:
        """The request that `chunk` is, if it is a whole one that is answered at once.

        Otherwise None, and `chunk` is to be fed.
        """
        if (
            not self._buffer
            and _SHORTEST <= len(chunk) <= 4 + MAX_PACKET
            and chunk[4] in _QUICK
            and INT.unpack_from(chunk)[0] == len(chunk) - 4
        ):
            return _request(chunk)
        return None


def _request(packet: bytes) -> Request:
    """What a whole packet asks, its size in front."""
    kind, fields = packet[4], Fields(packet, 5)
    try:
        number = fields.integer()
    except Short:
        raise ProtocolError("a packet without a request number") from None
    if kind == Kind.INIT:
        return Init(number)
    try:
        return _body(kind, number, fields)
    except Short:
        return Malformed(number)


def _body(kind: int, number: int, fields: Fields) -> Request:
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


def _extended(name: bytes, number: int, fields: Fields) -> Request:
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
