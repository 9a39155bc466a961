"""SFTP version 3: its words, and what clients ask. `decoder` reads it, `replies` answers.

The packets are those of draft-ietf-secsh-filexfer-02, plus four extensions OpenSSH added:
posix-rename, fsync and limits (offered), hardlink (known, so that it can be refused by name).

paramiko has an SFTP server of its own. It is not used, because it answers a failed close with no
text, runs every close a second time when the session ends, does not offer posix-rename, and reads
files for a client's check-file request; a request decoder is shorter than its list of exceptions.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

import msgspec

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


SIZE, OWNER, PERMISSIONS, TIMES = 0x1, 0x2, 0x4, 0x8
"""Which attributes a packet holds (§5)."""


class ProtocolError(Exception):
    """The stream is not SFTP (any more): the session has to end."""


class Attributes(msgspec.Struct, frozen=True, gc=False):
    """A file's attributes (§5); None is "not said". `mtime` in seconds since 1970."""

    size: int | None = None
    owner: bool = False
    permissions: int | None = None
    mtime: int | None = None


class Init(msgspec.Struct, frozen=True, gc=False):
    """The client's first packet."""

    version: int


class Open(msgspec.Struct, frozen=True, gc=False):
    """Open a file."""

    id: int
    path: bytes
    flags: OpenFlag
    attributes: Attributes


class Read(msgspec.Struct, frozen=True, gc=False):
    """Read at an offset."""

    id: int
    handle: bytes
    offset: int
    length: int


class Write(msgspec.Struct, frozen=True, gc=False):
    """Write at an offset."""

    id: int
    handle: bytes
    offset: int
    data: bytes


class OnPath(msgspec.Struct, frozen=True, gc=False):
    """LSTAT, STAT, OPENDIR, REMOVE, MKDIR, RMDIR, REALPATH or READLINK of a path."""

    id: int
    kind: Kind
    path: bytes


class OnHandle(msgspec.Struct, frozen=True, gc=False):
    """CLOSE, FSTAT or READDIR of a handle."""

    id: int
    kind: Kind
    handle: bytes


class SetPath(msgspec.Struct, frozen=True, gc=False):
    """SETSTAT."""

    id: int
    path: bytes
    attributes: Attributes


class SetHandle(msgspec.Struct, frozen=True, gc=False):
    """FSETSTAT."""

    id: int
    handle: bytes
    attributes: Attributes


class Rename(msgspec.Struct, frozen=True, gc=False):
    """RENAME, or posix-rename@openssh.com."""

    id: int
    old: bytes
    new: bytes


class Link(msgspec.Struct, frozen=True, gc=False):
    """SYMLINK or hardlink@openssh.com; the two paths are of no interest to a server without."""

    id: int


class Sync(msgspec.Struct, frozen=True, gc=False):
    """fsync@openssh.com."""

    id: int
    handle: bytes


class Limits(msgspec.Struct, frozen=True, gc=False):
    """limits@openssh.com."""

    id: int


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """A request or extension this server does not have."""

    id: int


class Malformed(msgspec.Struct, frozen=True, gc=False):
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
