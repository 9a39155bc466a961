"""Archives for tests: good ones by the standard library, odd ones byte by byte."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from gateway.core.acknowledgement.flux_state import technical_errors
from gateway.core.acknowledgement.report_facts import Outcome, ReportDocument
from gateway.core.container.archive import unpack
from gateway.core.container.manifest import read_manifest
from gateway.model.container import ContainerLimits, Member
from gateway.model.job import DocumentLimits, Unpacked
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Finding

XML = b'<?xml version="1.0"?><Invoice/>'
PDF = b"%PDF-1.7\nreadable"
PNG = b"\x89PNG\r\n\x1a\nimage"
JPEG = b"\xff\xd8\xff\xe0image"
DER = b"0\x82\x01\x00signature"


class Opened(NamedTuple):
    """What unpacking gave. `files`: the content of the folder, but for the manifest."""

    unpacked: Unpacked
    members: list[Member]
    files: dict[str, bytes]

    @property
    def refused(self) -> str:
        """The code for which the whole archive was refused."""
        assert self.unpacked.refused is not None, self.members
        return self.unpacked.refused.rule

    def member(self, name: str) -> Member:
        """The one member of that name."""
        (found,) = [member for member in self.members if member.name == name]
        return found

    def rules(self, name: str) -> list[str]:
        """The codes of what is wrong with the one member of that name."""
        return [finding.rule for finding in self.member(name).findings]


def opened(
    archive: bytes,
    *,
    name: str = "batch.tar.gz",
    max_document: int = 100_000_000,
    disk_bytes: int | None = None,
    **limits: int,
) -> Opened:
    """Unpack an archive into a folder of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "into"
        into.mkdir()
        unpacked = unpack(
            io.BytesIO(archive),
            name,
            len(archive),
            into,
            ContainerLimits(**limits),
            DocumentLimits(max_bytes=max_document),
            disk_bytes=disk_bytes,
        )
        assert [path.name for path in Path(folder).iterdir()] == ["into"]
        if unpacked.refused is not None:
            return Opened(unpacked, [], {})
        files = {path.name: path.read_bytes() for path in into.iterdir()}
        files.pop("manifest")
        return Opened(unpacked, list(read_manifest(into)), files)


def refusal_code(finding: Finding) -> str:
    """The platforms' code for a finding about a member of an archive."""
    document = ReportDocument(
        ordinal=1,
        state=DocumentState.REJECTED,
        outcome=Outcome.REJECTED,
        name="a",
        sha256="",
        size=0,
        findings=(finding,),
    )
    (error,) = technical_errors(document, "the sum of the archive")
    return error.code


def tar(files: Iterable[tuple[str | tarfile.TarInfo, bytes]], **options: Any) -> bytes:
    """A tar archive, not compressed, as Python's tarfile writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as archive:
        for name, data in files:
            entry = tarfile.TarInfo(name) if isinstance(name, str) else name
            entry.size = len(data) or entry.size
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def tar_gz(files: Iterable[tuple[str | tarfile.TarInfo, bytes]], **options: Any) -> bytes:
    """A tar.gz archive."""
    return gzip.compress(tar(files, **options), mtime=0)


def header(
    name: bytes,
    size: int | bytes,
    kind: bytes = b"0",
    *,
    magic: bytes = b"ustar\x0000",
    signed: bool = False,
    checksum: bytes | None = None,
) -> bytes:
    """One tar header with every field at will."""
    length = b"%011o\0" % size if isinstance(size, int) else size
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:124] = b"0000644\x000000000\x000000000\x00"
    block[124:136] = length
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257 : 257 + len(magic)] = magic
    total = sum(struct.unpack("512b", block)) if signed else sum(block)
    block[148:156] = b"%06o\0 " % total if checksum is None else checksum
    return bytes(block)


def padded(data: bytes) -> bytes:
    """Content as it stands in a tar: filled up to a whole block."""
    return data + bytes(-len(data) % 512)


END = bytes(1024)
"""The end of a tar archive."""


def zipped(
    files: Iterable[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """A ZIP archive as Python's zipfile writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files:
            kind = name.compress_type if isinstance(name, zipfile.ZipInfo) else method
            archive.writestr(name, data, kind)
    return buffer.getvalue()


class ZipFile(NamedTuple):
    """One file of a hand-made ZIP. `local_…`: what its own header says, if not the same."""

    name: bytes = b"a.xml"
    data: bytes = XML
    flags: int = 0
    method: int = 0
    stored: bytes | None = None
    crc: int | None = None
    size: int | None = None
    attributes: int = 0
    system: int = 3
    extra: bytes = b""
    local_name: bytes | None = None
    local_method: int | None = None
    local_flags: int | None = None
    offset: int | None = None


def hand_made_zip(
    files: Iterable[ZipFile],
    *,
    front: bytes = b"",
    behind: bytes = b"",
    count: int | None = None,
    start: int | None = None,
    disk: int = 0,
) -> bytes:
    """A ZIP archive with every field at will."""
    body, directory, number = bytearray(front), bytearray(), 0
    for file in files:
        number += 1
        stored = file.data if file.stored is None else file.stored
        crc = zlib.crc32(file.data) if file.crc is None else file.crc
        size = len(file.data) if file.size is None else file.size
        name = file.name if file.local_name is None else file.local_name
        method = file.method if file.local_method is None else file.local_method
        flags = file.flags if file.local_flags is None else file.local_flags
        offset = len(body) if file.offset is None else file.offset
        sizes = (crc, len(stored), size)
        body += struct.pack(
            "<4s5H3L2H", b"PK\x03\x04", 20, flags, method, 0, 33, *sizes, len(name), 0
        )
        body += name + stored
        directory += struct.pack("<4s6H3L", b"PK\x01\x02", file.system << 8 | 20, 20, file.flags,
                                 file.method, 0, 33, *sizes)  # fmt: skip
        directory += struct.pack(
            "<5H2L", len(file.name), len(file.extra), 0, 0, 0, file.attributes, offset
        )
        directory += file.name + file.extra
    place = len(body) if start is None else start
    total = number if count is None else count
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", disk, disk, total, total, len(directory), place, 0)
    return bytes(body + directory) + end + behind
