"""What may be attached: each list, each kind of file, and nothing said twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.core.mapping.file_content import content, fits
from gateway.core.mapping.file_rules import (
    CODES_CHECKED_BY,
    NAMES_CHECKED_BY,
    FileRules,
    lists,
    objections,
    read_lists,
    rules_for,
)
from gateway.core.mapping.files import Taken
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.preparation import stylesheets
from gateway.errors import ConfigurationError, RulePackError
from gateway.model.flow import Attachments
from gateway.model.verdict import Severity

PDF = b"%PDF-1.7\n%"
PNG = b"\x89PNG\r\n\x1a\n\0\0"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF"
XLSX = b"PK\x03\x04\x14\0\x06\0" + bytes(22) + b"[Content_Types].xml"
ODS = b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheetPK"
ODT = b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.textPK"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(20)
EXE = b"MZ\x90\0\x03\0\0\0"
CSV = b"a;b\r\n1;2\r\n"
ODS_CODE = "application/vnd.oasis.opendocument.spreadsheet"
XLSX_CODE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CHORUS = FileRules(Attachments.CHORUS_PRO, codes=False, names=True)
EVERYTHING_CHECKED = FileRules()


def said(
    name: str | None, code: str | None, head: bytes, rules: FileRules, *, size: int | None = None
) -> list[tuple[str, str | None, Severity | None]]:
    """Rule, variant and severity of all that is said."""
    taken = Taken(len(head) if size is None else size, "0" * 64, head)
    return [
        (each.rule, each.variant, each.severity) for each in objections(name, code, taken, rules)
    ]


@pytest.mark.parametrize(
    ("name", "code", "head"),
    [
        ("a.pdf", "application/pdf", PDF),
        ("A.PDF", "application/pdf", b"junk\n" + PDF),
        ("a.png", "image/png", PNG),
        ("a.jpg", "image/jpeg", JPEG),
        ("a.jpeg", "image/jpeg", JPEG),
        ("a.csv", "text/csv", CSV),
        ("a.csv", "text/csv", b"\xff\xfea\0;\0"),
        ("a.csv", "text/csv", "Libellé;Montant".encode("latin-1")),
        ("a.xlsx", XLSX_CODE, XLSX),
        ("a.ods", ODS_CODE, ODS),
        ("a.ods", ODS_CODE, XLSX),  # a writer that puts the media type elsewhere
        ("a.xml", "application/xml", b"<?xml version='1.0'?><a/>"),
        ("a.xml", "text/xml", b"\xef\xbb\xbf\n<a/>"),
        ("a.json", "application/json", b"{}"),
        ("no extension", "application/pdf", PDF),
        (None, None, PDF),
        ("a.xyz", "application/x-unheard-of", EXE),
    ],
)
def test_what_agrees_is_not_mentioned(name: str | None, code: str | None, head: bytes) -> None:
    """Neither a good file, nor one of a kind nobody here knows, when the rules look at the code."""
    assert said(name, code, head, EVERYTHING_CHECKED) == []


@pytest.mark.parametrize(
    ("name", "code", "head", "found"),
    [
        ("a.pdf", "application/pdf", PNG, "PNG"),
        ("a.pdf", "application/pdf", b"\0\1\2", "nothing this gateway knows"),
        ("a.pdf", "application/pdf", CSV, "plain text"),
        ("a.pdf", "application/pdf", b"<!DOCTYPE html><html>", "HTML"),
        ("a.png", "image/png", JPEG, "JPEG"),
        ("a.jpg", "image/jpeg", b"GIF89a", "GIF"),
        ("a.csv", "text/csv", PDF, "PDF"),
        ("a.csv", "text/csv", XLSX, "ZIP, or an Office document"),
        ("a.csv", "text/csv", EXE, "a program"),
        ("a.csv", "text/csv", b"<?xml version='1.0'?>", "XML"),
        ("a.xlsx", XLSX_CODE, OLE, "Microsoft Office before 2007, or encrypted"),
        ("a.xlsx", XLSX_CODE, ODS, "an OpenDocument spreadsheet"),
        ("a.ods", ODS_CODE, ODT, "an OpenDocument that is no spreadsheet"),
        ("a.xml", "text/xml", PDF, "PDF"),
    ],
)
def test_content_that_is_plainly_something_else_is_warned_about(
    name: str, code: str, head: bytes, found: str
) -> None:
    """And then nothing more is said of a name that belongs to what the content is."""
    taken = Taken(len(head), "0" * 64, head)
    (objection,) = objections(name, code, taken, EVERYTHING_CHECKED)
    assert objection.rule == "ATTACHMENT-CONTENT"
    assert objection.severity is None  # as schemas/findings.toml says: a warning
    assert objection.values["found_en"] == found


def test_a_name_of_another_kind_is_warned_about() -> None:
    """Whoever goes by the name would not open it."""
    assert said("a.exe", "application/pdf", PDF, EVERYTHING_CHECKED) == [
        ("ATTACHMENT-DISAGREES", None, None)
    ]
    assert said("a.pdf", "APPLICATION/PDF", PDF, EVERYTHING_CHECKED) == []


def test_a_code_outside_the_list_is_told_where_no_rule_pack_does() -> None:
    """A warning, unless the flow asks for the list; nothing when a pack of the chain looks."""
    unlisted = ("a.gif", "image/gif", b"GIF89a")
    asked = rules_for(Attachments.EN16931, [])
    assert said(*unlisted, rules_for(None, [])) == [
        ("ATTACHMENT-MIME-CODE", None, Severity.WARNING)
    ]
    assert said(*unlisted, asked) == [("ATTACHMENT-MIME-CODE", None, Severity.ERROR)]
    assert said(*unlisted, rules_for(Attachments.EN16931, ["en16931-ubl"])) == []
    for code in lists().lists[Attachments.EN16931].mime_codes:
        assert "ATTACHMENT-MIME-CODE" not in {rule for rule, *_ in said("a", code, PDF, asked)}


@pytest.mark.parametrize("suffix", lists().lists[Attachments.CHORUS_PRO].extensions)
def test_chorus_pro_takes_the_extensions_of_its_list(suffix: str) -> None:
    """In capitals as well."""
    for name in (f"a.{suffix}", f"A.{suffix.upper()}"):
        assert said(name, None, PDF, CHORUS) == []


@pytest.mark.parametrize(
    ("name", "variant"),
    [("a.exe", None), ("a.pdf.js", None), ("a.7z", None), ("a", "absent"), (None, "absent")],
)
def test_chorus_pro_takes_no_others(name: str | None, variant: str | None) -> None:
    """Nor a file without extension; other flows do not ask."""
    assert said(name, None, PDF, CHORUS) == [("ATTACHMENT-EXTENSION", variant, None)]
    assert said(name, None, PDF, EVERYTHING_CHECKED) == []


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (10_000_000, []),
        (10_000_001, [("ATTACHMENT-TOO-LARGE", "advised", Severity.WARNING)]),
        (100_000_000, [("ATTACHMENT-TOO-LARGE", "advised", Severity.WARNING)]),
        (100_000_001, [("ATTACHMENT-TOO-LARGE", None, None)]),
    ],
)
def test_chorus_pro_takes_100_mb_and_advises_10(size: int, expected: list[object]) -> None:
    """Counted decoded; other flows have the limit of the whole document alone."""
    assert said("a.pdf", "application/pdf", PDF, CHORUS, size=size) == expected
    assert said("a.pdf", "application/pdf", PDF, EVERYTHING_CHECKED, size=size) == []


def test_chorus_pro_takes_names_of_50_characters() -> None:
    """Extension included; where BR-FR-CPRO-41 runs it is left to that."""
    longest, too_long = "n" * 46 + ".pdf", "n" * 47 + ".pdf"
    assert said(longest, None, PDF, CHORUS) == []
    assert said(too_long, None, PDF, CHORUS) == [("ATTACHMENT-LONG-NAME", None, None)]
    assert said(too_long, None, PDF, rules_for(Attachments.CHORUS_PRO, ["b2g-ubl"])) == []


def test_an_empty_file_is_refused_by_chorus_pro_alone() -> None:
    """IRR_VID_PJ there; elsewhere a warning, for nothing in EN 16931 forbids it."""
    empty = ("a.pdf", "application/pdf", b"")
    assert said(*empty, CHORUS) == [("ATTACHMENT-NOTHING", None, Severity.ERROR)]
    assert said(*empty, EVERYTHING_CHECKED) == [("ATTACHMENT-NOTHING", None, Severity.WARNING)]


def _text_of(pack: str) -> str | None:
    catalogue = Catalogue.load()
    try:
        return "".join(stylesheets(catalogue.artefact(pack)))
    except RulePackError:
        return None


def test_the_packs_that_look_are_those_that_are_named() -> None:
    """Read from the stylesheets themselves, so that nothing is reported twice, or by nobody."""
    codes, names = set(), set()
    for pack in Catalogue.load().names():
        text = _text_of(pack)
        if text is None:
            assert pack not in CODES_CHECKED_BY | NAMES_CHECKED_BY, f"{pack} cannot be read"
            continue
        listed = re.search(r"@mimeCode\s*=\s*'application/pdf'", text)
        looked_up = re.search(r'name="(\w+)" select="@mimeCode"', text)
        if listed or looked_up:
            codes.add(pack)
        if re.search(r"string-length\(normalize-space\(@filename\)\)", text):
            names.add(pack)
    assert codes == CODES_CHECKED_BY
    assert names == NAMES_CHECKED_BY


def test_every_kind_has_a_content_that_some_file_has() -> None:
    """A word nothing is ever recognised by would warn about every file of its kind."""
    heads = (PDF, PNG, JPEG, XLSX, ODS, CSV, b"<?xml?>", b"{}")
    for code, kind in lists().kinds.items():
        assert any(fits(kind.content, content(head)) for head in heads), code
        assert all(suffix == suffix.lower() for suffix in kind.extensions)


def test_a_broken_list_is_said_with_its_file(tmp_path: Path) -> None:
    """A typing mistake must not become a check that never runs."""
    file = tmp_path / "attachments.toml"
    file.write_text('[kinds."a/b"]\nextension = ["a"]\n[lists]\n')
    with pytest.raises(ConfigurationError, match=r"attachments\.toml"):
        read_lists(file)
