"""Damage to tar and ZIP: sizes, names, kinds, places; inside the compression, not to it."""

from __future__ import annotations

import random
import re
import zlib
from typing import Final

_BLOCK: Final = 512
_GZIP: Final = b"\x1f\x8b"
_RECORDS: Final = {b"PK\x01\x02": 46, b"PK\x03\x04": 30, b"PK\x05\x06": 22, b"PK\x06\x06": 56,
                   b"PK\x06\x07": 20}  # fmt: skip
_SIGNATURE: Final = re.compile(rb"PK(?:\x01\x02|\x03\x04|\x05\x06|\x06[\x06\x07])")
_NUMBERS: Final = (0, 1, 2, 8, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_NAMES: Final = (
    b"../../etc/passwd", b"/etc/passwd", b"C:\\x.xml", b"a\\..\\b", b"", b".", b"./", b"a/",
    b"\xff", b"a\x00b", b"\xe2\x80\xaexml", b"x" * 99, b"FA.XML", b"fa.xml", b"__MACOSX/a",
    b".DS_Store", b"a.p7s", b"a.zip", b"\r\nx", b"%s%n", b"con.xml", "Ａ.xml".encode(),
)  # fmt: skip
_FIELDS: Final = ((0, 100), (100, 8), (124, 12), (136, 12), (148, 8), (156, 1), (157, 100),
                  (257, 8), (345, 155))  # fmt: skip
"""Offset and length of the fields of a tar header (POSIX.1-1988)."""
_OCTAL: Final = (b"0", b"777777777777", b"-1", b"", b" ", b"8", b"\x80" + b"\xff" * 11,
                 b"\x80" + b"\x00" * 10 + b"\x01", b"\xff" * 12, b"00000000001\x00")  # fmt: skip
_MAX: Final = 1_000_000


def changed(data: bytes, chance: random.Random) -> bytes:
    """One header changed, wherever it lies."""
    if data.startswith(_GZIP):
        inner = _gunzipped(data)
        if inner is None or chance.random() < 0.1:
            return _gzip_changed(data, chance)
        return _gzipped(changed(inner, chance), chance)
    if data.startswith(b"PK"):
        return _zip_changed(data, chance)
    return _tar_changed(data, chance)


def _gunzipped(data: bytes) -> bytes | None:
    try:
        return zlib.decompressobj(31).decompress(data, _MAX)
    except zlib.error:
        return None


def _gzipped(data: bytes, chance: random.Random) -> bytes:
    packer = zlib.compressobj(chance.choice((0, 1, 9)), zlib.DEFLATED, 31)
    packed = packer.compress(data) + packer.flush()
    # A second member, garbage behind the last one, or zeros as tapes leave them.
    return packed + chance.choice((b"",) * 20 + (packed, b"garbage", bytes(600), packed[:10]))


def _gzip_changed(data: bytes, chance: random.Random) -> bytes:
    at = chance.choice((2, 3, 4, 8, 9, len(data) - 8, len(data) - 4, len(data) - 1))
    at = max(0, min(at, len(data) - 1))
    return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]


def _tar_changed(data: bytes, chance: random.Random) -> bytes:
    blocks = [at for at in range(0, len(data), _BLOCK) if data[at + 257 : at + 262] == b"ustar"]
    if not blocks:
        return data
    at = chance.choice(blocks)
    if chance.random() < 0.3:
        return _blocks_moved(data, at, blocks, chance)
    offset, length = chance.choice(_FIELDS)
    if length in {8, 12}:
        value = chance.choice(_OCTAL)
    elif length == 1:
        value = chance.choice((b"0", b"1", b"2", b"3", b"5", b"6", b"7", b"g", b"x", b"L", b"K",
                               b"S", b"\x00", b"V", b"M", b"D", b"\xff"))  # fmt: skip
    else:
        value = chance.choice(_NAMES)
    value = value[:length].ljust(length, b"\0")
    header = bytearray(data[at : at + _BLOCK].ljust(_BLOCK, b"\0"))
    header[offset : offset + length] = value
    if chance.random() < 0.9:
        header[148:156] = b"%06o\0 " % sum(header[:148] + b" " * 8 + header[156:])
    return data[:at] + bytes(header) + data[at + _BLOCK :]


def _blocks_moved(data: bytes, at: int, blocks: list[int], chance: random.Random) -> bytes:
    to = chance.choice(blocks)
    match chance.randrange(4):
        case 0:
            return data[:at] + data[at + _BLOCK :]
        case 1:
            return data[:to] + data[at : at + _BLOCK] + data[to:]
        case 2:
            return data[:to] + bytes(_BLOCK * chance.choice((1, 2))) + data[to:]
        case _:
            return data[: at + chance.randrange(_BLOCK)]


def _zip_changed(data: bytes, chance: random.Random) -> bytes:
    records = list(_SIGNATURE.finditer(data))
    if not records:
        return data
    record = chance.choice(records)
    start, size = record.start(), _RECORDS[record.group()]
    match chance.randrange(6):
        case 0:
            return data[:start] + data[start + size :]
        case 1:
            return data[:start] + data[start : start + size] + data[start:]
        case 2 if record.group() in {b"PK\x01\x02", b"PK\x03\x04"}:
            name = chance.choice(_NAMES)
            length = int.from_bytes(data[start + size - 4 : start + size - 2], "little")
            at = start + (46 if size == 46 else 30)
            name = name[:length].ljust(length, b"x")
            return data[:at] + name + data[at + length :]
        case _:
            width = chance.choice((2, 2, 4))
            at = start + 4 + 2 * chance.randrange(max(1, (size - 4 - width) // 2 + 1))
            value = chance.choice((*_NUMBERS, len(data), start)) & ((1 << 8 * width) - 1)
            return data[:at] + value.to_bytes(width, "little") + data[at + width :]
