"""What a payload is, told from its first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest

from gateway.core.container.document import OpenedDocument, open_document
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding, Layer


def tar(mode: str) -> bytes:
    """A tar archive with one member."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        entry = tarfile.TarInfo("a.xml")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"<a/>"))
    return buffer.getvalue()


def zipped() -> bytes:
    """A ZIP archive with one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.xml", "<a/>")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (gzip.compress(b"<a/>"), "gzip"),
        (tar("w:gz"), "gzip"),
        (tar("w"), "tar"),
        (zipped(), "ZIP"),
        (bz2.compress(b"<a/>"), "bzip2"),
        (lzma.compress(b"<a/>"), "xz"),
    ],
    ids=["gzip", "tar.gz", "tar", "ZIP", "bzip2", "xz"],
)
def test_archives_are_named_and_refused(data: bytes, kind: str) -> None:
    """Whatever it is called, it is recognised by its bytes, and the finding says what it is."""
    finding = open_document(data, DocumentLimits())
    assert isinstance(finding, Finding)
    assert finding.rule == "CONTAINER-UNSUPPORTED"
    assert finding.layer is Layer.CONTAINER
    assert kind in finding.message


@pytest.mark.parametrize(
    "data", [b"<a/>", b"", b"no magic", b"<a>%PDF-1.7</a>", "<a/>".encode("utf-16")]
)
def test_anything_else_is_one_document(data: bytes) -> None:
    """Whether it is XML is the parser's business, not the container's."""
    assert open_document(data, DocumentLimits()) == OpenedDocument(data)
