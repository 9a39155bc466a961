"""SFTP version 3, what the server answers: values in, bytes out."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from gateway.service.sftp_server.protocol import (
    MAX_DATA,
    MAX_HANDLES,
    MAX_PACKET,
    PERMISSIONS,
    SIZE,
    TIMES,
    VERSION,
    Attributes,
    Kind,
    Status,
)

_INT = struct.Struct(">I")
_LONG = struct.Struct(">Q")


def _packet(kind: Kind, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return _INT.pack(len(body) + 1) + bytes((kind,)) + body


def _string(value: bytes) -> bytes:
    return _INT.pack(len(value)) + value


def _attributes(attributes: Attributes) -> bytes:
    flags, parts = 0, []
    if attributes.size is not None:
        flags |= SIZE
        parts.append(_LONG.pack(attributes.size))
    if attributes.permissions is not None:
        flags |= PERMISSIONS
        parts.append(_INT.pack(attributes.permissions))
    if attributes.mtime is not None:
        flags |= TIMES
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
