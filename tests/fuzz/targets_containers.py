"""What a payload may come in: archives, PDFs; and the names files have."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import unicodedata
from pathlib import Path
from typing import Final

from gateway.core.acknowledgement.report import report_filename
from gateway.core.container.archive import is_archive, unpack
from gateway.core.container.document import open_document
from gateway.core.container.kinds import HEAD_BYTES
from gateway.core.container.manifest import read_manifest
from gateway.core.container.names import (
    MAX_NAME_BYTES,
    comparable,
    extension,
    is_clutter,
    name_flaw,
    shown,
    stem,
)
from gateway.core.container.xmp import read_xmp
from gateway.core.naming import envelope_finding, envelope_name
from gateway.model.container import ContainerLimits, Role
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding
from gateway.service.http_names import BadName, checked
from gateway.service.sftp_server.home import Home
from gateway.service.sftp_server.notes import usable_name
from tests.fuzz import seeds
from tests.fuzz.target import Kind, Parser, Target
from tests.fuzz.targets_documents import expect
from tests.pdfs import xmp

_LIMITS: Final = ContainerLimits(max_members=50, max_unpacked_bytes=4_000_000)
_DOCUMENTS: Final = DocumentLimits(max_bytes=1_000_000)


def archive() -> Parser:
    """`unpack` "never raises for anything in the archive", and writes nowhere but where it may."""
    folder = Path(tempfile.mkdtemp())

    def run(data: bytes) -> bool:
        if not is_archive(data[:HEAD_BYTES]):
            return False
        into = folder / "into"
        into.mkdir()
        try:
            found = unpack(io.BytesIO(data), "batch", len(data), into, _LIMITS, _DOCUMENTS)
            expect([path.name for path in folder.iterdir()] == ["into"], "a file beside the folder")
            if found.refused is not None:
                return False
            members = list(read_manifest(into))
            for one in members:
                expect(is_harmless(one.name), f"a name that does not print: {one.name!r}")
                expect(not one.stored or (into / str(one.position)).is_file(), "no file")
            documents = [one for one in members if one.role is Role.DOCUMENT]
            expect(len(documents) == found.documents, "another number of documents")
            return not all(one.findings for one in documents)
        finally:
            shutil.rmtree(into)

    return run


def is_harmless(name: str) -> bool:
    """Whether nothing in it moves a cursor, turns the direction of writing or takes no room."""
    return not any(unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for each in name)


def document() -> Parser:
    """`open_document` gives XML or a finding, whatever PDF it is."""
    limits = DocumentLimits(max_bytes=2_000_000)

    def run(data: bytes) -> bool:
        found = open_document(data, limits)
        expect(isinstance(found, Finding) or len(found.xml) <= len(data) + 2_000_000, "too much")
        return not isinstance(found, Finding) and found.pdf

    return run


def packet() -> Parser:
    """`read_xmp` gives what is claimed, or a finding."""
    return lambda data: not isinstance(read_xmp(data), Finding)


def names() -> Parser:
    """Whatever a file is called, there is something to show, to compare and to refuse it by.

    Names come as bytes (SFTP), as Latin-1 (HTTP) or as what Python makes of a folder's entry.
    """

    def run(data: bytes) -> bool:
        usable = usable_name(data)
        Home.real_path(data)
        good = usable is not None
        for name in {data.decode("latin-1"), data.decode("utf-8", "surrogateescape")}:
            fine = name_flaw(name) is None if name.isprintable() else False
            said = shown(name, 1)
            expect(is_harmless(said) and bool(said.strip()), f"shown as {said!r}")
            expect(len(said.encode()) <= MAX_NAME_BYTES, f"too long: {said!r}")
            try:
                checked(name)
            except BadName:
                fine = False
            if fine:
                _good(name)
            good = good and fine
        return good

    def _good(name: str) -> None:
        expect(comparable(comparable(name)) == comparable(name), f"compares as two: {name!r}")
        envelope = envelope_name(name)
        finding = envelope_finding(name)
        expect((finding is None) is (envelope is not None), f"good and bad: {name!r}")
        is_clutter(name), extension(name), stem(name)
        safe = report_filename(name, "0197d5a0-5f2b-7c1e-9a3d-4b6c8d0e2f11", 2)
        expect(safe.isascii() and "/" not in safe and len(safe) <= 120, f"no file: {safe!r}")

    return run


def name_seeds() -> list[bytes]:
    """Names of files: of the platforms, of the evil corpus, of anybody."""
    files = sorted((seeds.EVIL / "names").glob("*.name"))
    said = [str(json.loads(path.read_text(encoding="utf-8"))) for path in files]
    return [
        b"FSO1100A_ABC123_ABC1231100000000000000001.tar.gz",
        b"Facture.xml",
        "sub/Facture-été n° 3.xml".encode(),
        b"in/../out/x",
        *(name.encode("utf-8", "replace") for name in said),
    ]


TARGETS: Final = (
    Target(
        name="archive",
        kind=Kind.ARCHIVE,
        parser=archive,
        seeds=seeds.archives,
        share=20,
        seconds_per_mb=20,
    ),
    Target(name="pdf", kind=Kind.TEXT, parser=document, seeds=seeds.pdfs, share=12, seconds=5),
    Target(
        name="xmp",
        kind=Kind.XML,
        parser=packet,
        seeds=lambda: [xmp(), xmp("BASIC WL", None), xmp(None, "x.xml")],
        share=4,
    ),
    Target(name="names", kind=Kind.TEXT, parser=names, seeds=name_seeds, share=12),
)
