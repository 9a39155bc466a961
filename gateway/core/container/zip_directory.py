"""The central directory of a ZIP archive: found from the archive's end, read record by record.

    … │ central directory │ (zip64 end record │ zip64 locator) │ end record (22 + comment)

Sections named here are those of PKWARE's APPNOTE 6.3.10.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from gateway.core.container.entries import Budget
from gateway.core.container.streams import CHUNK

_END: Final = struct.Struct("<4s4H2LH")
_END_SIGNATURE: Final = b"PK\x05\x06"
_LONGEST_COMMENT: Final = 0xFFFF
_LOCATOR: Final = struct.Struct("<4sLQL")
_LOCATOR_SIGNATURE: Final = b"PK\x06\x07"
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_END64_SIGNATURE: Final = b"PK\x06\x06"
_RECORD: Final = struct.Struct("<4s6H3L")
_RECORD_REST: Final = struct.Struct("<5H2L")
_RECORD_SIZE: Final = _RECORD.size + _RECORD_REST.size
_RECORD_SIGNATURE: Final = b"PK\x01\x02"
_EXTRA: Final = struct.Struct("<2H")
_ZIP64_EXTRA: Final = 0x0001
_U16, _U32 = 0xFFFF, 0xFFFFFFFF

_RECORD_BYTES: Final = 2000
_SPARE_BYTES: Final = 1_000_000
"""How large a directory may be: for each record, and besides. Records hold names and more."""


class Record(NamedTuple):
    """One file as the directory describes it. `system`: the one whose modes `attributes` holds."""

    name: bytes
    system: int
    flags: int
    method: int
    crc: int
    stored_size: int
    size: int
    attributes: int
    offset: int


class Directory:
    """The records of an archive, read from the file whenever they are asked for."""

    def __init__(self, source: BinaryIO, start: int, size: int, count: int, budget: Budget) -> None:
        self.start = start
        self._source = source
        self._size = size
        self._count = count
        self._budget = budget

    def records(self) -> Iterator[Record]:
        """Every record. Raises ArchiveRefused when one is not as it must be."""
        at, end = self.start, self.start + self._size
        window = memoryview(b"")
        for _ in range(self._count):
            if len(window) < _RECORD_SIZE + 3 * _U16 and at + len(window) < end:
                # Others read the file in between: the place is sought again each time.
                self._source.seek(at)
                window = memoryview(self._source.read(min(end - at, 8 * CHUNK)))
            record, length = self._record(window)
            at += length
            window = window[length:]
            yield record
        if at != end:
            raise self._broken()

    def _record(self, window: memoryview) -> tuple[Record, int]:
        if len(window) < _RECORD_SIZE:
            raise self._broken()
        signature, made_by, _, flags, method, _, _, crc, stored_size, size = _RECORD.unpack_from(
            window
        )
        name_length, extra_length, comment_length, disk, _, attributes, offset = (
            _RECORD_REST.unpack_from(window, _RECORD.size)
        )
        length = _RECORD_SIZE + name_length + extra_length + comment_length
        if signature != _RECORD_SIGNATURE or length > len(window):
            raise self._broken()
        name = bytes(window[_RECORD_SIZE : _RECORD_SIZE + name_length])
        extra = window[_RECORD_SIZE + name_length : length - comment_length]
        wide = [value for value in (size, stored_size, offset) if value == _U32]
        if wide or disk == _U16:
            values = _zip64(extra, len(wide))
            if values is None:
                raise self._broken()
            found = iter(values)
            size, stored_size, offset = (
                next(found) if value == _U32 else value for value in (size, stored_size, offset)
            )
        elif disk:
            raise self._broken()
        system = made_by >> 8
        record = Record(name, system, flags, method, crc, stored_size, size, attributes, offset)
        return record, length

    def _broken(self) -> Exception:
        return self._budget.refusal("CONTAINER-DAMAGED", variant="directory")


def find_directory(source: BinaryIO, size: int, budget: Budget) -> Directory:
    """The directory of the archive of `size` bytes; how many records it has is checked here.

    Raises ArchiveRefused when there is none, something follows it, or it is not in one piece.
    """
    tail_size = min(size, _END.size + _LONGEST_COMMENT)
    source.seek(size - tail_size)
    tail = source.read(tail_size)
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or len(tail) - at < _END.size:
        raise budget.refusal("CONTAINER-TRUNCATED")
    _, disk, first_disk, here, count, length, start, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        shorter = at + _END.size + comment > len(tail)
        raise budget.refusal("CONTAINER-TRUNCATED" if shorter else "CONTAINER-TRAILING")
    end = size - tail_size + at
    narrow = (disk, first_disk, here, count, length, start)
    wide = _read_end64(source, end, budget)
    if wide is not None:
        end, *values = wide
        limits = (_U16, _U16, _U16, _U16, _U32, _U32)
        for said, value, limit in zip(narrow, values, limits, strict=True):
            if said not in {value, limit}:
                raise budget.refusal("CONTAINER-DAMAGED", variant="directory")
        disk, first_disk, here, count, length, start = values
    if disk or first_disk or here != count:
        raise budget.refusal("CONTAINER-DAMAGED", variant="volumes")
    if not count:
        raise budget.refusal("CONTAINER-EMPTY")
    budget.count_entries(count)
    if length > count * _RECORD_BYTES + _SPARE_BYTES:
        raise budget.refusal("CONTAINER-DAMAGED", variant="directory")
    if start + length != end:
        # Programs that count from the end would see another archive than those that count from
        # the start.
        variant = "leading" if start + length < end else "directory"
        raise budget.refusal("CONTAINER-DAMAGED", variant=variant)
    return Directory(source, start, length, count, budget)


def _read_end64(source: BinaryIO, end: int, budget: Budget) -> list[int] | None:
    """Where the zip64 end record starts, and its six values; None when there is no such record."""
    if end < _LOCATOR.size:
        return None
    source.seek(end - _LOCATOR.size)
    signature, _disk, at, _disks = _LOCATOR.unpack(source.read(_LOCATOR.size))
    if signature != _LOCATOR_SIGNATURE:
        return None
    broken = budget.refusal("CONTAINER-DAMAGED", variant="directory")
    if at + _END64.size > end - _LOCATOR.size:
        raise broken
    source.seek(at)
    fields = _END64.unpack(source.read(_END64.size))
    signature, length, _made_by, _needed, *values = fields
    if signature != _END64_SIGNATURE or at + 12 + length != end - _LOCATOR.size:
        raise broken
    return [at, *values]


def _zip64(extra: memoryview, count: int) -> tuple[int, ...] | None:
    """The first `count` numbers of the zip64 field (§4.5.3); None when they are not there."""
    while len(extra) >= _EXTRA.size:
        kind, length = _EXTRA.unpack_from(extra)
        field, extra = extra[_EXTRA.size : _EXTRA.size + length], extra[_EXTRA.size + length :]
        if kind == _ZIP64_EXTRA:
            return struct.unpack_from(f"<{count}Q", field) if len(field) >= 8 * count else None
    return None
