"""What the files of an archive are: documents, attachments, signatures, clutter, bad ones."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core.container.archive import is_archive, unpack
from gateway.core.container.manifest import read_manifest
from gateway.errors import Disposition, ScratchFull
from gateway.model.container import ContainerLimits, Role
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Layer
from tests.core.archives import (
    DER,
    JPEG,
    PDF,
    PNG,
    XML,
    opened,
    refusal_code,
    tar,
    tar_gz,
    zipped,
)

MAKERS = pytest.mark.parametrize("make", [tar_gz, tar, zipped])
Make = Callable[[list[tuple[str, bytes]]], bytes]


@pytest.mark.parametrize("make", [tar_gz, tar, zipped])
def test_archives_are_known_by_their_bytes(make: Make) -> None:
    """tar, tar.gz and ZIP are opened; XML, PDF and other archives are not."""
    assert is_archive(make([("a.xml", XML)])[:1024])
    assert is_archive(make([])[:1024]) is (make is not tar)
    for head in (XML, PDF, b"", b"BZh9", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01"):
        assert not is_archive(head)


@MAKERS
def test_every_document_is_stored_under_its_position(make: Make) -> None:
    """In the archive's order, counted from 1, with size and sum of the unpacked bytes."""
    other = XML + b"<!-- other -->"
    result = opened(make([("a.xml", XML), ("annex.png", PNG), ("sub/b.xml", other)]))
    assert (result.unpacked.members, result.unpacked.documents) == (3, 2)
    assert result.files == {"1": XML, "3": other}
    assert [(m.position, m.name, m.role, m.stored) for m in result.members] == [
        (1, "a.xml", Role.DOCUMENT, True),
        (2, "annex.png", Role.ATTACHMENT, False),
        (3, "sub/b.xml", Role.DOCUMENT, True),
    ]
    for member, data in zip(result.members, (XML, PNG, other), strict=True):
        assert member.size == len(data)
        assert member.sha256 == hashlib.sha256(data).hexdigest()
        assert not member.findings


@MAKERS
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_bytes_give_the_same_result(make: Make) -> None:
    """Unpacking again after a crash finds every member where it was."""
    archive = make([("b.pdf", PDF), ("b.xml", XML), ("../c", XML), ("b.xml", XML), ("d", b"?")])
    assert opened(archive) == opened(archive)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + XML,
        b" \r\n\t" + XML,
        "<a/>".encode("utf-16"),
        "<a/>".encode("utf-16-le"),
        "<a/>".encode("utf-16-be"),
        b"\xef\xbb\xbf\n<a/>",
        PDF,
        b"\r\n" + PDF,
    ],
)
def test_documents_are_known_by_content(data: bytes) -> None:
    """Whatever they are called: XML in any encoding, and PDF."""
    for name in ("a", "a.txt", "a.dat"):
        result = opened(tar_gz([(name, data)]))
        assert result.member(name).role is Role.DOCUMENT
        assert result.files == {"1": data}


def test_what_is_called_xml_is_left_to_the_judge() -> None:
    """It says best why a text that is meant to be XML is none."""
    for data in (b"INVOIC D96A", "<a/>".encode("utf-32"), b"\n" * 20_000):
        assert opened(tar_gz([("a.xml", data)])).files == {"1": data}


@pytest.mark.parametrize("names", [("a.xml", "a.pdf"), ("a.pdf", "a.xml"), ("A.PDF", "a.xml")])
def test_a_pdf_called_like_an_xml_is_its_readable_copy(names: tuple[str, str]) -> None:
    """Whichever comes first; it is not judged, and not kept on disk."""
    files = [(name, PDF if name.lower().endswith("pdf") else XML) for name in names]
    result = opened(tar_gz(files))
    copy, original = sorted(result.members, key=lambda member: member.name.lower())
    assert (copy.role, copy.beside, copy.stored) == (Role.ATTACHMENT, "a.xml", False)
    assert (original.role, original.stored) == (Role.DOCUMENT, True)
    assert list(result.files.values()) == [XML]
    assert result.unpacked.documents == 1


@pytest.mark.parametrize("name", ["b.pdf", "sub/a.pdf", "a_annex.pdf", "ab.pdf"])
def test_any_other_pdf_is_a_document(name: str) -> None:
    """It may hold an invoice: only the very same name makes it a copy."""
    result = opened(tar_gz([("a.xml", XML), (name, PDF)]))
    assert result.member(name).role is Role.DOCUMENT
    assert result.files["2"] == PDF


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("annex.png", PNG),
        ("annex.jpg", JPEG),
        ("annex.JPEG", JPEG),
        ("annex.csv", b"a;b\r\n1;\xe9\r\n"),
        ("annex.xlsx", b"PK\x03\x04sheet"),
        ("annex.ods", b"PK\x03\x04sheet"),
        ("annex.docx", b"PK\x03\x04text"),
    ],
)
def test_attachments_are_known_by_extension_and_content(name: str, data: bytes) -> None:
    """What EN 16931 lets lie beside an invoice; other content under the name is refused."""
    result = opened(tar_gz([("a.xml", XML), (name, data), (f"bad-{name}", b"\x00\x01\x02")]))
    assert result.member(name).role is Role.ATTACHMENT
    assert result.rules(f"bad-{name}") == ["CONTAINER-MEMBER-TYPE"]
    assert result.member(f"bad-{name}").role is Role.DOCUMENT


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("FA-1.csv", "FA-1.xml"),
        ("fa-1_annex.csv", "FA-1.xml"),
        ("FA-1.annex.2.csv", "FA-1.xml"),
        ("FA-1.xml.csv", "FA-1.xml"),
        ("FA-1-2_x.csv", "FA-1-2.xml"),
        ("FA-10.csv", None),
        ("other.csv", None),
        ("sub/FA-1.csv", None),
        ("FX annex.csv", "FX.pdf"),
    ],
)
def test_an_attachment_goes_with_the_document_its_name_begins_with(
    name: str, beside: str | None
) -> None:
    """The longest such name, ended by something that is neither letter nor digit."""
    result = opened(
        tar_gz([(name, b"a;b"), ("FA-1.xml", XML), ("FA-1-2.xml", XML), ("FX.pdf", PDF)])
    )
    assert result.member(name).beside == beside


def test_an_attachment_goes_with_a_document_that_cannot_be_used() -> None:
    """It was meant for it all the same; but a name that counts for nothing attracts nothing."""
    result = opened(tar_gz([("a.xml", b""), ("a.csv", b"1"), ("../b.xml", XML), ("b.csv", b"1")]))
    assert result.member("a.csv").beside == "a.xml"
    assert result.member("b.csv").beside is None


ROOT = b'<?xml version="1.0"?><!-- c --><x:%s xmlns:x="%s"><x:a/></x:%s>'


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.xml.p7s", DER),
        ("a.p7s", b"-----BEGIN PKCS7-----\n"),
        ("a.xml.sig", b"\x88\x5e\x04openpgp"),
        ("a.xml.asc", b"-----BEGIN PGP SIGNATURE-----\n"),
        ("a.xml.p7m", DER),
        ("a.sig.xml", ROOT % (b"Signature", b"http://www.w3.org/2000/09/xmldsig#", b"Signature")),
        (
            "a-signatures.xml",
            ROOT % (b"XAdESSignatures", b"http://uri.etsi.org/02918/v1.2.1#", b"XAdESSignatures"),
        ),
    ],
)
def test_detached_signatures_are_kept_beside_their_document(name: str, data: bytes) -> None:
    """Hashed and named, not stored, not judged, and not counted as documents."""
    result = opened(tar_gz([(name, data), ("a.xml", XML)]))
    member = result.member(name)
    assert (member.role, member.beside, member.stored) == (Role.SIGNATURE, "a.xml", False)
    assert member.sha256 == hashlib.sha256(data).hexdigest()
    assert (result.unpacked.members, result.unpacked.documents) == (2, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"<Signature/>",
        b'<!DOCTYPE Signature><Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>',
        b'<Invoice><Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/></Invoice>',
        b'<?xml version="1.0" encoding="nowhere"?><a/>',
        b"<Signature xmlns='http://www.w3.org/2000/09/xmldsig#'"[:30],
        b"<!--" + b" " * 20_000 + b'--><Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>',
    ],
)
def test_only_the_root_of_a_signature_makes_one(data: bytes) -> None:
    """Anything doubtful is a document, and judged."""
    assert opened(tar_gz([("a.xml", data)])).member("a.xml").role is Role.DOCUMENT


def test_a_signature_that_may_hold_its_document_is_not_passed_over() -> None:
    """A .p7m without the document beside it could be the invoice itself."""
    result = opened(tar_gz([("a.xml.p7m", DER), ("b.xml", XML)]))
    assert result.rules("a.xml.p7m") == ["CONTAINER-MEMBER-TYPE"]
    assert result.unpacked.documents == 2


def test_a_signature_by_name_only_is_none() -> None:
    """Its content must be one."""
    assert opened(tar_gz([("a.p7s", b"hello")])).rules("a.p7s") == ["CONTAINER-MEMBER-TYPE"]


@MAKERS
def test_what_systems_leave_behind_is_ignored(make: Make) -> None:
    """Listed, counted as member, but neither judged nor complained about."""
    names = ["__MACOSX/._a.xml", "._a.xml", "sub/.DS_Store", "Thumbs.db", "./__MACOSX/x.xml"]
    result = opened(make([("a.xml", XML), *((name, b"\x00\x05\x16") for name in names)]))
    assert [member.role for member in result.members[1:]] == [Role.IGNORED] * len(names)
    assert (result.unpacked.members, result.unpacked.documents) == (len(names) + 1, 1)


BAD = [
    ("../a.xml", XML, "CONTAINER-MEMBER-PATH", "IRR_NOM_F"),
    ("sub/../../a.xml", XML, "CONTAINER-MEMBER-PATH", "IRR_NOM_F"),
    ("..\\a.xml", XML, "CONTAINER-MEMBER-PATH", "IRR_NOM_F"),
    ("/etc/a.xml", XML, "CONTAINER-MEMBER-PATH", "IRR_NOM_F"),
    ("\\\\server\\a.xml", XML, "CONTAINER-MEMBER-PATH", "IRR_NOM_F"),
    ("C:\\a.xml", XML, "CONTAINER-MEMBER-PATH", "IRR_NOM_F"),
    ("sub\\a.xml", XML, "CONTAINER-MEMBER-NAME", "IRR_NOM_F"),
    ("a\n.xml", XML, "CONTAINER-MEMBER-NAME", "IRR_NOM_F"),
    ("a\x1b[2J.xml", XML, "CONTAINER-MEMBER-NAME", "IRR_NOM_F"),
    ("a\u202elmx.exe", XML, "CONTAINER-MEMBER-NAME", "IRR_NOM_F"),
    ("a\ufffe.xml", XML, "CONTAINER-MEMBER-NAME", "IRR_NOM_F"),
    ("./", XML, "CONTAINER-MEMBER-NAME", "IRR_NOM_F"),
    (" ", XML, "CONTAINER-MEMBER-NAME", "IRR_NOM_F"),
    ("folder/", XML, "CONTAINER-MEMBER-NAME", "IRR_NOM_F"),
    ("n" * 252 + ".xml", XML, "CONTAINER-MEMBER-NAME", "IRR_NOM_F"),
    ("é" * 126 + ".xml", XML, "CONTAINER-MEMBER-NAME", "IRR_NOM_F"),
    ("a.xml", b"", "CONTAINER-MEMBER-EMPTY", "IRR_VIDE_F"),
    ("a.xml", XML + b" " * 10_000, "CONTAINER-MEMBER-SIZE", "IRR_TAILLE_F"),
    ("a.pdf", PDF + b" " * 10_000, "CONTAINER-MEMBER-SIZE", "IRR_TAILLE_F"),
    ("inner.tar.gz", tar_gz([("a.xml", XML)]), "CONTAINER-MEMBER-NESTED", "IRR_TYPE_F"),
    ("inner.xml", zipped([("a.xml", XML)]), "CONTAINER-MEMBER-NESTED", "IRR_TYPE_F"),
    ("inner", tar([("a.xml", XML)])[:2048], "CONTAINER-MEMBER-NESTED", "IRR_TYPE_F"),
    ("inner.xml.bz2", b"BZh91AY&SY", "CONTAINER-MEMBER-NESTED", "IRR_TYPE_F"),
    ("a.exe", b"MZ\x90\x00", "CONTAINER-MEMBER-TYPE", "IRR_TYPE_F"),
    ("readme.txt", b"hello", "CONTAINER-MEMBER-TYPE", "IRR_TYPE_F"),
    ("n" * 47 + ".csv", b"a;b", "ATTACHMENT-NAME", "IRR_NOM_PJ"),
    ("a.csv", b"", "ATTACHMENT-EMPTY", "IRR_VID_PJ"),
    ("a.png", PNG + bytes(10_000), "ATTACHMENT-SIZE", "IRR_TAILLE_PJ"),
    ("good.pdf", PDF + bytes(10_000), "ATTACHMENT-SIZE", "IRR_TAILLE_PJ"),
    ("good.pdf", b"", "ATTACHMENT-EMPTY", "IRR_VID_PJ"),
]


@pytest.mark.parametrize(
    ("make", "name", "data", "rule", "code"),
    [
        (make, *case)
        for make in (tar_gz, tar, zipped)
        for case in BAD
        # Python's tarfile writes no such name.
        if make is zipped or not case[0].endswith("/")
    ],
)
def test_one_bad_file_does_not_sink_the_others(
    make: Make, name: str, data: bytes, rule: str, code: str
) -> None:
    """It is a document that is rejected unread, for a reason that names it; others go on."""
    archive = make([("good.xml", XML), (name, data), ("better.xml", XML)])
    result = opened(archive, max_document=10_000)
    good, bad, better = result.members
    assert result.files == {"1": XML, "3": XML}
    assert not good.findings
    assert not better.findings
    assert bad.role is Role.DOCUMENT
    assert not bad.stored
    assert bad.size == len(data)
    (finding,) = bad.findings
    assert (finding.rule, finding.layer, refusal_code(finding)) == (rule, Layer.CONTAINER, code)
    assert finding.explanation is not None
    for text in (finding.message, finding.explanation.fr, finding.explanation.en):
        assert bad.name in text
    assert all(character.isprintable() for character in bad.name)
    assert 0 < len(bad.name.encode()) <= 255


def test_a_name_is_shown_with_what_is_wrong_with_it() -> None:
    """The slash that makes it absolute, or that of a folder, is not tidied away."""
    archive = zipped([("/etc/a.xml", XML), ("./b.xml/", XML), ("./c.xml", XML), ("/./", XML)])
    names = [member.name for member in opened(archive).members]
    assert names == ["/etc/a.xml", "b.xml/", "c.xml", "#4"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("letter.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        ("slides.pptx", b"PK\x03\x04slides"),
        ("letter.odt", b"PK\x03\x04letter"),
    ],
)
def test_office_documents_are_not_called_archives(name: str, data: bytes) -> None:
    """Their senders know them as files; that some are ZIP inside would only puzzle them."""
    result = opened(tar_gz([("a.xml", XML), (name, data)]))
    assert result.rules(name) == ["CONTAINER-MEMBER-TYPE"]


@MAKERS
@pytest.mark.parametrize("second", ["fa.XML", "FA.xml", "./FA.xml"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_second_file_of_a_name_is_refused(make: Make, second: str) -> None:
    """Names that some system takes for one are one; the first of them counts."""
    result = opened(make([("FA.xml", XML), (second, XML + b" "), ("sub/FA.xml", XML)]))
    assert [[f.rule for f in m.findings] for m in result.members] == [
        [],
        ["CONTAINER-MEMBER-DUPLICATE"],
        [],
    ]
    assert result.files == {"1": XML, "3": XML}


def test_names_that_look_the_same_are_the_same() -> None:
    """An é in one or in two characters."""
    result = opened(tar_gz([("fact\u00e9.xml", XML), ("facte\u0301.xml", XML)]))
    assert [bool(member.findings) for member in result.members] == [False, True]


@MAKERS
@pytest.mark.parametrize("files", [[], [("a.csv", b"1")], [("a.p7s", DER)], [(".DS_Store", b"1")]])
def test_an_archive_without_a_document_is_empty(make: Make, files: list[tuple[str, bytes]]) -> None:
    """Attachments alone are nothing to judge."""
    refused = opened(make(files)).unpacked.refused
    assert refused is not None
    assert refused.rule == "CONTAINER-EMPTY"
    assert "batch.tar.gz" in refused.message


@MAKERS
def test_folders_are_no_members(make: Make, tmp_path: Path) -> None:
    """Nor do their names matter."""
    import tarfile

    if make is zipped:
        archive = zipped([("../sub/", b""), ("sub/a.xml", XML)])
    else:
        folder = tarfile.TarInfo("../sub")
        folder.type = tarfile.DIRTYPE
        archive = (tar if make is tar else tar_gz)([(folder, b""), ("sub/a.xml", XML)])
    result = opened(archive)
    assert [(member.position, member.name) for member in result.members] == [(1, "sub/a.xml")]


def test_the_disk_is_not_filled_beyond_what_was_given() -> None:
    """A failure of ours, not the partner's: it is tried again later."""
    archive = tar_gz([("a.xml", XML * 10_000)])
    with pytest.raises(ScratchFull) as failed:
        opened(archive, disk_bytes=100_000)
    assert failed.value.disposition is Disposition.RETRY
    assert opened(archive, disk_bytes=1_000_000).unpacked.documents == 1


def test_a_disk_that_fails_is_our_failure(tmp_path: Path) -> None:
    """It raises OSError, and no finding blames the partner."""
    archive = tar_gz([("a.xml", XML)])
    with pytest.raises(FileNotFoundError):
        unpack(
            io.BytesIO(archive),
            "a",
            len(archive),
            tmp_path / "none",
            ContainerLimits(),
            DocumentLimits(),
        )


def test_the_manifest_is_read_member_by_member(tmp_path: Path) -> None:
    """What was found is there in the archive's order, also after the process is gone."""
    archive = zipped([(f"{n}.xml", XML) for n in range(50)], zipfile.ZIP_STORED)
    unpack(
        io.BytesIO(archive), "a.zip", len(archive), tmp_path, ContainerLimits(), DocumentLimits()
    )
    members = read_manifest(tmp_path)
    assert next(members).name == "0.xml"
    assert [member.position for member in members] == list(range(2, 51))
