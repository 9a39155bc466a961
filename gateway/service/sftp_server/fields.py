"""The fields of an SFTP packet, one after the other: of a request, or of an answer to ours."""

from __future__ import annotations

import struct

from gateway.service.sftp_server.protocol import (
    OWNER,
    PERMISSIONS,
    SIZE,
    TIMES,
    Attributes,
)

INT = struct.Struct(">I")
LONG = struct.Struct(">Q")


class Short(Exception):
    """A field reaches beyond its packet."""


class Fields:
    """Takes field after field from a packet. Raises `Short` beyond its end."""

    def __init__(self, packet: bytes, position: int) -> None:
        self._packet = packet
        self._position = position

    @property
    def left(self) -> int:
        """How many bytes of the packet were not taken yet."""
        return len(self._packet) - self._position

    def raw(self, count: int) -> bytes:
        """So many bytes."""
        start, end = self._position, self._position + count
        if end > len(self._packet):
            raise Short
        self._position = end
        return self._packet[start:end]

    def integer(self) -> int:
        """A uint32."""
        value: int = INT.unpack(self.raw(4))[0]
        return value

    def long(self) -> int:
        """A uint64."""
        value: int = LONG.unpack(self.raw(8))[0]
        return value

    def string(self) -> bytes:
        """Bytes, after their number."""
        return self.raw(self.integer())

    def attributes(self) -> Attributes:
        """An ATTRS structure, without what extensions append to it."""
        return self.attributes_of(self.integer())

    def attributes_of(self, flags: int) -> Attributes:
        """What these flags of an ATTRS structure announce."""
        size = self.long() if flags & SIZE else None
        if flags & OWNER:
            self.raw(8)
        permissions = self.integer() if flags & PERMISSIONS else None
        mtime = None
        if flags & TIMES:
            self.integer()
            mtime = self.integer()
        return Attributes(size, bool(flags & OWNER), permissions, mtime)
