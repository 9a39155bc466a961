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
