"""What the builders of this folder build with: invoices, members of a tar, archives.

A builder is a file `<name of the case>.py` with a function `build(path)` that writes the case.
Same builder, same bytes.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.invoices import cii_invoice, ubl_invoice
from tests.pdfs import stream

GOOD = ubl_invoice("FA-2026-0001", lines=1)
ALSO_GOOD = ubl_invoice("FA-2026-0002", lines=1)
FAULTY = ubl_invoice("FA-2026-0003", lines=1, fault="total")
GOOD_CII = cii_invoice("FA-2026-0004", lines=1)

INVOICE_START = b'<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2">'
INVOICE_END = b"</Invoice>"

TAR_END = bytes(1024)
_BLOCK = 512


def member(name: str, data: bytes = b"", **fields: object) -> bytes:
    """One member of a tar. `fields` are those of tarfile.TarInfo; `size` may lie."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mtime = 1767225600
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT) + padded(data)


def pax(**records: str) -> bytes:
    """The pax header that says these things about the member behind it."""
    lines = b""
    for key, value in records.items():
        rest = f" {key}={value}\n".encode()
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length += 1
        lines += str(length).encode() + rest
    return member("pax", lines, type=tarfile.XHDTYPE)


def padded(data: bytes) -> bytes:
    """Data as tar keeps it, in whole blocks."""
    return data + bytes(-len(data) % _BLOCK)


def with_checksum(header: bytes) -> bytes:
    """A tar header that was tampered with, its checksum made right again."""
    blank = header[:148] + b" " * 8 + header[156:]
    return header[:148] + b"%06o\0 " % sum(blank) + header[156:]


def tar_gz(*members: bytes) -> bytes:
    """A tar.gz of members made by `member`."""
    return gz(b"".join(members) + TAR_END)


def gz(data: bytes) -> bytes:
    """One gzip member, without a time."""
    return gzip.compress(data, mtime=0)


def zip_of(files: Mapping[str, bytes] | Iterable[tuple[str, bytes]], **fields: object) -> bytes:
    """A ZIP. `fields` are those of zipfile.ZipInfo, for every file."""
    pairs = files.items() if isinstance(files, Mapping) else files
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in pairs:
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            for field, value in fields.items():
                setattr(info, field, value)
            archive.writestr(info, data)
    return buffer.getvalue()


def with_object_stream(
    inside: Mapping[int, bytes], beside: Mapping[int, bytes], *, packed: bytes | None = None
) -> bytes:
    """A PDF whose objects 1 to 4 are in object 5, a compressed stream, as is the table of all.

    `beside`: the objects from 6 on, without a gap, that stand by themselves. `packed`: object 5 as
    it is, whatever it then holds.
    """
    places, bodies = b"", b""
    for number, body in inside.items():
        places += b"%d %d " % (number, len(bodies))
        bodies += body + b" "
    entries = f"/Type /ObjStm /N {len(inside)} /First {len(places)}"
    out = bytearray(b"%PDF-1.5\n")
    rows = [(0, 0, 255), *((2, 5, index) for index in range(4))]
    for number, body in {5: packed or stream(places + bodies, entries), **beside}.items():
        rows.append((1, len(out), 0))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    rows.append((1, start, 0))
    table = b"".join(bytes([kind]) + at.to_bytes(4, "big") + bytes([n]) for kind, at, n in rows)
    said = f"/Type /XRef /W [1 4 1] /Size {len(rows)} /Root 1 0 R"
    out += b"%d 0 obj\n%s\nendobj\n" % (len(rows) - 1, stream(table, said))
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def repeated(path: Path, start: bytes, unit: bytes, times: int, end: bytes) -> None:
    """Write start, many times the unit, end: without holding it all."""
    chunk = unit * min(times, max(1, (1 << 20) // len(unit)))
    with path.open("wb") as file:
        file.write(start)
        left = times * len(unit)
        while left > 0:
            file.write(chunk[:left])
            left -= len(chunk)
        file.write(end)
