"""An attached file is told by its size and SHA-256; its bytes go where they are wanted."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import json
import tracemalloc
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.core.mapping import Files, MappingResult
from gateway.core.mapping.attached import MAX_FILES
from gateway.core.mapping.files import _PIECE, NotBase64
from gateway.errors import ScratchFull, SpoolError
from gateway.model.interchange import Syntax
from gateway.model.publication import payload_uri
from gateway.model.verdict import AttachedFile, Severity
from gateway.resources import data_folder
from tests.core.mapping_documents import content, document, mapping, read

CII = document("full.cii.xml").decode()


def _told(text: str) -> tuple[int, str]:
    taken = Files().take(text)
    assert not taken.kept
    return taken.size, taken.sha256


def _facts(data: bytes) -> tuple[int, str]:
    return len(data), hashlib.sha256(data).hexdigest()


@given(st.binary(min_size=1, max_size=300), st.integers(1, 80))
def test_the_facts_are_those_of_the_decoded_file(data: bytes, width: int) -> None:
    """However the Base64 is broken into lines."""
    text = base64.b64encode(data).decode()
    broken = "\r\n  ".join(text[at : at + width] for at in range(0, len(text), width))
    assert _told(f" \n{broken}\t") == _facts(data)


@pytest.mark.parametrize("more", [-4, -1, 0, 1, 2, 3])
def test_pieces_meet_without_a_seam(more: int) -> None:
    """A file as long as a piece, a little shorter, a little longer, several pieces long."""
    for size in (_PIECE // 4 * 3 + more, 3 * (_PIECE // 4 * 3) + more):
        data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        assert _told(base64.b64encode(data).decode()) == _facts(data)
        assert _told(base64.encodebytes(data).decode()) == _facts(data)


@pytest.mark.parametrize("text", ["", " ", "\n\t\r"])
def test_nothing_is_an_empty_file(text: str) -> None:
    """White space around nothing is nothing."""
    assert Files().take(text).size == 0


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "ab=c",
        "abcd=",
        "YQ==YQ==",
        "YQ== x",
        "é",
        "a b!d",
        "QUJD\u00a0",
        "YQ==" + " " * _PIECE + "YQ==",
    ],
)
def test_what_is_no_base64_is_no_file(text: str, tmp_path: Path) -> None:
    """Nothing is guessed, and nothing half-written stays behind."""
    with pytest.raises(NotBase64):
        Files().take(text)
    files = Files(tmp_path / "files")
    with pytest.raises(NotBase64):
        files.take(text)
    assert files.kept == ()
    assert list((tmp_path / "files").iterdir()) == []


@pytest.mark.parametrize("keep", [False, True])
def test_a_large_file_is_held_in_no_second_copy(keep: bool, tmp_path: Path) -> None:
    """Beside the text itself there is a piece at a time, whether it is written or not."""
    text = "\n " + "QUJD" * 5_000_000 + "\n"
    files = Files(tmp_path / "files" if keep else None)
    tracemalloc.start()
    try:
        taken = files.take(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken.size == 15_000_000
    assert peak < 16 * _PIECE < len(text) / 4


def test_files_lie_in_the_folder_under_their_sums(tmp_path: Path) -> None:
    """What an earlier attempt left is gone; each file is there once; an empty one never."""
    folder = tmp_path / "a" / "files"
    folder.mkdir(parents=True)
    (folder / "left over").write_bytes(b"x")
    files = Files(folder)
    large = bytes(range(256)) * 4096
    sums = []
    for data in (b"one", large, b"one", b""):
        taken = files.take(base64.encodebytes(data).decode())
        assert taken.kept == bool(data)
        sums.append(taken.sha256)
    assert files.kept == (AttachedFile(sums[0], 3), AttachedFile(sums[1], len(large)))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        sums[0]: b"one",
        sums[1]: large,
    }


def test_no_file_no_folder(tmp_path: Path) -> None:
    """Most invoices have no attachment, and cost the disk nothing."""
    assert Files(tmp_path / "files").kept == ()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, ScratchFull), (errno.EACCES, SpoolError)]
)
def test_a_disk_that_fails_is_our_failure(
    number: int, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is waited for; neither is ever the document's fault."""

    def full(*_: object, **__: object) -> io.BytesIO:
        raise OSError(number, "no")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(error, match=r"attached to an invoice"):
        Files(tmp_path / "files").take("QUJD")


def _read(data: bytes, files: Files) -> MappingResult:
    root = etree.fromstring(data)
    return mapping().to_canonical(root, mapping_syntax(data), files=files)


def mapping_syntax(data: bytes) -> Syntax:
    """Of a document of tests/data/mapping."""
    return Syntax.CII if b"CrossIndustryInvoice" in data else Syntax.UBL


def test_a_file_that_was_kept_has_an_address_that_is_the_same_in_every_syntax(
    tmp_path: Path,
) -> None:
    """It follows from the file's bytes, so it does not depend on the form of the invoice."""
    told = []
    for form in ("full.cii.xml", "full.ubl.xml"):
        files = Files(tmp_path / form)
        invoice = content(_read(document(form), files))
        told.append(invoice)
        attached = invoice["additional_supporting_documents"][0]["attached_document"]
        assert attached["uri"] == payload_uri(attached["sha256"])
        assert (tmp_path / form / attached["sha256"]).stat().st_size == attached["size"]
        assert [file.sha256 for file in files.kept] == [attached["sha256"]]
        schema = json.loads((data_folder("schemas") / "canonical-invoice.schema.json").read_text())
        part = {"$ref": "#/$defs/AttachedDocument", "$defs": schema["$defs"]}
        jsonschema.Draft202012Validator(part).validate(attached)
    assert told[0] == told[1]


def test_without_a_folder_there_is_no_address() -> None:
    """`edi-gateway map` and `validate` store nothing, so they promise nothing."""
    for form in ("full.cii.xml", "full.ubl.xml"):
        attached = content(read(document(form)))["additional_supporting_documents"][0]
        assert "uri" not in attached["attached_document"]


def test_a_name_is_told_and_is_no_path(tmp_path: Path) -> None:
    """Whatever a sender calls a file: it lies under its sum, and nowhere else."""
    text = CII.replace("feuille de travail.pdf", "../../../outside.pdf")
    files = Files(tmp_path / "in" / "files")
    invoice = content(_read(text.encode(), files))
    attached = invoice["additional_supporting_documents"][0]["attached_document"]
    assert attached["filename"] == "../../../outside.pdf"
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in found] == [attached["sha256"]]


def test_base64_that_cannot_be_decoded_rejects_and_has_its_place() -> None:
    """The schema says so too; a mapping without a schema must not publish half a file."""
    result = read(CII.replace("JVBERi0xLjQK", "JVBERi0xLjQ").encode())
    found = [each for each in result.findings if each.rule == "ATTACHMENT-ENCODING"]
    assert [(each.severity, each.terms) for each in found] == [(Severity.ERROR, ("BT-125",))]
    assert "feuille de travail.pdf" in found[0].message
    assert found[0].line == CII[: CII.index("<ram:AttachmentBinaryObject")].count("\n") + 1
    attached = content(result)["additional_supporting_documents"][0]["attached_document"]
    assert "sha256" not in attached


def test_more_files_than_a_document_may_have_are_refused_once() -> None:
    """Nothing beyond is decoded: a hundred thousand files would keep the disk busy for hours."""
    attached = CII.index("<ram:AttachmentBinaryObject")
    start = CII.rindex("<ram:AdditionalReferencedDocument>", 0, attached)
    end = CII.index("</ram:AdditionalReferencedDocument>", start) + len(
        "</ram:AdditionalReferencedDocument>"
    )
    one = CII[start:end]
    result = read((CII[:start] + one * (MAX_FILES + 5) + CII[end:]).encode())
    found = [each for each in result.findings if each.rule == "ATTACHMENT-TOO-MANY"]
    assert [each.severity for each in found] == [Severity.ERROR]
    told = content(result)["additional_supporting_documents"]
    assert sum("sha256" in each.get("attached_document", {}) for each in told) == MAX_FILES


def test_a_file_of_which_nothing_else_is_told_is_unmapped() -> None:
    """Without name and kind it would be dropped in silence."""
    start = CII.index("<ram:AttachmentBinaryObject")
    end = CII.index(">", start)
    nameless = CII[:start] + "<ram:AttachmentBinaryObject" + CII[end:]
    source = read(nameless.encode()).invoice.source
    assert [path.rpartition("/")[2] for path in source.unmapped] == ["ram:AttachmentBinaryObject"]
