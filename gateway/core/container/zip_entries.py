"""The files of a ZIP archive (PKWARE APPNOTE 6.3.10), by its central directory.

    local header │ content │ local header │ content │ … │ central directory │ end record

The directory says where everything is. Before any file is unpacked the whole of it is read once,
and an archive is refused whose files overlap (a few kilobytes then pretend to be petabytes) or
that has something in front, behind or in between that only some programs would see. A reader of
our own, because the usual one holds the whole directory in memory and checks little of this.
"""

from __future__ import annotations

import bisect
import stat
import struct
import zlib
from array import array
from collections.abc import Iterator
from typing import BinaryIO, Final

from gateway.core.container.entries import Budget, Entry, EntryDamaged, Flaw
from gateway.core.container.streams import CHUNK, UNPACKED_CHUNK
from gateway.core.container.zip_directory import Directory, Record, find_directory

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_LOCAL_SIGNATURE: Final = b"PK\x03\x04"
_LONGEST_DESCRIPTOR: Final = 24
"""Signature, checksum and two sizes, which may stand behind a file's content (§4.3.9)."""
_U32: Final = 0xFFFFFFFF

_STORED: Final = 0
_DEFLATED: Final = 8
_METHODS: Final = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    12: "bzip2",
    14: "LZMA",
    93: "Zstandard",
    95: "xz",
    98: "PPMd",
}

_ENCRYPTED: Final = 1 << 0 | 1 << 6 | 1 << 13
_AES: Final = 99
_SIZES_FOLLOW: Final = 1 << 3
_UTF8: Final = 1 << 11
_MUST_AGREE: Final = _ENCRYPTED | _SIZES_FOLLOW | _UTF8

_UNIX: Final = frozenset({3, 19})
"""Systems (high byte of "version made by") whose file modes stand in the external attributes."""

_DAMAGED: Final = Flaw("CONTAINER-MEMBER-DAMAGED")
_CONTRADICTS: Final = Flaw("CONTAINER-MEMBER-DAMAGED", "header")


def zip_entries(source: BinaryIO, size: int, budget: Budget) -> Iterator[Entry]:
    """Every file, folders left out, in the order of the directory. `size`: of the archive.

    Raises ArchiveRefused when the archive is cut off, damaged or not put together as it should.
    """
    directory = find_directory(source, size, budget)
    layout = _Layout(directory, budget)
    for record in directory.records():
        if not _is_folder(record):
            yield _entry(source, record, layout, budget)


class _Layout:
    """Where the files stand, checked as a whole before any of them is unpacked."""

    def __init__(self, directory: Directory, budget: Budget) -> None:
        spans: list[tuple[int, int]] = []
        announced = 0
        for record in directory.records():
            least = _LOCAL.size + len(record.name) + record.stored_size
            spans.append((record.offset, record.offset + least))
            if not _is_folder(record):
                announced += record.size
                budget.count_member()
                budget.check_total(announced)
        spans.sort()
        self._starts = array("Q", (start for start, _ in spans))
        self._end = directory.start
        self._check(spans, budget)

    def _check(self, spans: list[tuple[int, int]], budget: Budget) -> None:
        if spans[0][0] != 0:
            raise budget.refusal("CONTAINER-DAMAGED", variant="leading")
        for (_, end), (start, _) in zip(spans, [*spans[1:], (self._end, 0)], strict=True):
            if end > start:
                variant = "directory" if start == self._end else "overlap"
                raise budget.refusal("CONTAINER-DAMAGED", variant=variant)

    def room_after(self, offset: int) -> int:
        """Where the file that starts at `offset` must have ended."""
        following = bisect.bisect_right(self._starts, offset)
        return self._starts[following] if following < len(self._starts) else self._end


def _is_folder(record: Record) -> bool:
    return record.name.endswith(b"/") and not record.size


def _entry(source: BinaryIO, record: Record, layout: _Layout, budget: Budget) -> Entry:
    def content() -> Iterator[bytes]:
        begin = _content_start(source, record)
        spare = layout.room_after(record.offset) - begin - record.stored_size
        if spare < 0:
            raise EntryDamaged(_CONTRADICTS)
        if spare > _LONGEST_DESCRIPTOR:
            raise budget.refusal("CONTAINER-DAMAGED", variant="hidden")
        for chunk in _unpacked(source, record, begin):
            budget.spend(len(chunk))
            yield chunk

    return Entry(_text(record), record.size, content, _flaw(record))


def _flaw(record: Record) -> Flaw | None:
    """What the directory says that makes a file unusable."""
    if record.flags & _ENCRYPTED or record.method == _AES:
        return Flaw("CONTAINER-MEMBER-ENCRYPTED")
    if record.method not in {_STORED, _DEFLATED}:
        method = _METHODS.get(record.method, str(record.method))
        return Flaw("CONTAINER-MEMBER-METHOD", values={"method": method})
    mode = record.attributes >> 16 if record.system in _UNIX else 0
    if stat.S_ISLNK(mode):
        return Flaw("CONTAINER-MEMBER-SPECIAL", "link")
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return Flaw("CONTAINER-MEMBER-SPECIAL", "device")
    return None


def _content_start(source: BinaryIO, record: Record) -> int:
    """Where the bytes of a file begin. Raises EntryDamaged unless its own header says the same."""
    source.seek(record.offset)
    header = source.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(_LOCAL_SIGNATURE):
        raise EntryDamaged(_DAMAGED)
    fields: tuple[int, ...] = _LOCAL.unpack(header)[2:]
    flags, method, _, _, crc, stored_size, size, name_length, extra_length = fields
    if (
        source.read(name_length) != record.name
        or method != record.method
        or (flags ^ record.flags) & _MUST_AGREE
    ):
        raise EntryDamaged(_CONTRADICTS)
    if not flags & _SIZES_FOLLOW and (
        crc != record.crc
        or size not in {record.size, _U32}
        or stored_size not in {record.stored_size, _U32}
    ):
        raise EntryDamaged(_CONTRADICTS)
    return record.offset + _LOCAL.size + name_length + extra_length


def _unpacked(source: BinaryIO, record: Record, begin: int) -> Iterator[bytes]:
    """The content, which must be what the directory says to the last byte and bit.

    Raises EntryDamaged, at the latest after the last chunk.
    """
    pieces = _inflated if record.method == _DEFLATED else _stored
    crc = given = 0
    for chunk in pieces(source, record, begin):
        given += len(chunk)
        crc = zlib.crc32(chunk, crc)
        if given > record.size:
            raise EntryDamaged(_DAMAGED)
        yield chunk
    if given != record.size or crc != record.crc:
        raise EntryDamaged(_DAMAGED)


def _stored(source: BinaryIO, record: Record, begin: int) -> Iterator[bytes]:
    source.seek(begin)
    left = record.stored_size
    while left and (chunk := source.read(min(left, CHUNK))):
        left -= len(chunk)
        yield chunk


def _inflated(source: BinaryIO, record: Record, begin: int) -> Iterator[bytes]:
    decoder = zlib.decompressobj(-zlib.MAX_WBITS)
    fed = b""
    chunks = _stored(source, record, begin)
    while not decoder.eof:
        fed = decoder.unconsumed_tail or next(chunks, b"")
        try:
            chunk = decoder.decompress(fed, UNPACKED_CHUNK)
        except zlib.error as error:
            raise EntryDamaged(_DAMAGED) from error
        if chunk:
            yield chunk
        elif not fed and not decoder.eof:
            raise EntryDamaged(_DAMAGED)
    if decoder.unused_data or next(chunks, b""):
        raise EntryDamaged(_DAMAGED)


def _text(record: Record) -> str:
    """Names are in UTF-8 when a flag says so, else in the PC's character set of old (app. D).

    Many programs write UTF-8 without saying so; what can be read as UTF-8 hardly ever is else.
    """
    try:
        return record.name.decode()
    except UnicodeDecodeError:
        if record.flags & _UTF8:
            return record.name.decode(errors="replace")
        return record.name.decode("cp437")
