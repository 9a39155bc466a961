"""Bytes that come out of a file or a compressed file, chunk by chunk and counted.

However much a few compressed bytes unpack to, no more than one chunk of it is in memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from gateway.core.container.entries import Budget

CHUNK: Final = 1 << 16
"""Bytes read from a file at a time."""

UNPACKED_CHUNK: Final = 1 << 18
"""Bytes unpacked at a time."""

_GZIP: Final = 31
"""`wbits` for a gzip header and trailer (RFC 1952), whose CRC and length zlib then checks."""

_MAX_PARTS: Final = 200_000
"""gzip allows a file of many parts; each costs time even when nothing is in it. Block-wise writers
make one for every 64 kB."""


class Stream:
    """Chunks read as if they were one file, forwards only."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")

    def some(self, most: int) -> bytes:
        """From 1 to `most` bytes; none only at the end."""
        while not self._chunk:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._chunk = memoryview(chunk)
        taken = bytes(self._chunk[:most])
        self._chunk = self._chunk[most:]
        return taken

    def exactly(self, count: int) -> bytes:
        """`count` bytes; fewer only at the end. For what is small: it is held in memory."""
        taken = self.some(count)
        while len(taken) < count and (more := self.some(count - len(taken))):
            taken += more
        return taken


def plain(source: BinaryIO, budget: Budget) -> Iterator[bytes]:
    """The bytes of a file as they are."""
    while chunk := source.read(CHUNK):
        budget.spend(len(chunk))
        yield chunk


def gunzipped(source: BinaryIO, budget: Budget) -> Iterator[bytes]:
    """What a gzip file (RFC 1952) holds, all its parts one after the other.

    Raises ArchiveRefused when it is cut off or damaged, or when something else follows it; what
    was given until then must not be used.
    """
    fed = source.read(CHUNK)
    for _part in range(_MAX_PARTS):
        decoder = zlib.decompressobj(_GZIP)
        while not decoder.eof:
            try:
                unpacked = decoder.decompress(fed, UNPACKED_CHUNK)
            except zlib.error as error:
                raise budget.refusal("CONTAINER-DAMAGED", variant="checksum") from error
            if unpacked:
                budget.spend(len(unpacked))
                yield unpacked
            elif not fed and not decoder.eof:
                raise budget.refusal("CONTAINER-TRUNCATED")
            if not decoder.eof:
                fed = decoder.unconsumed_tail or source.read(CHUNK)
        fed = _behind_zeros(decoder.unused_data, source)
        if not fed:
            return
        if not fed.startswith(b"\x1f"):
            raise budget.refusal("CONTAINER-TRAILING")
    raise budget.refusal("CONTAINER-DAMAGED", variant="parts")


def _behind_zeros(data: bytes, source: BinaryIO) -> bytes:
    """What follows the zeros that some systems fill files up with; nothing at the file's end."""
    while not (data := data.lstrip(b"\0")):
        data = source.read(CHUNK)
        if not data:
            return b""
    return data
