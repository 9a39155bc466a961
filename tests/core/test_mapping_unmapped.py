"""What a document holds and the canonical invoice has no place for is listed and counted."""

from __future__ import annotations

import time

import pytest

from bench.invoices import ubl_invoice
from gateway.core.mapping import Mapping
from gateway.core.mapping.unmapped import MAX_ALIKE, MAX_PATHS
from gateway.core.xml import ParsedXml, parse
from gateway.model.interchange import Syntax
from gateway.model.invoice import Source
from gateway.model.job import DocumentLimits
from tests.core.mapping_documents import document, read

UBL = document("credit-note.ubl.xml").decode()
CII = document("credit-note.cii.xml").decode()


def _source(text: str, *changes: tuple[str, str]) -> Source:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return read(text.encode()).invoice.source


@pytest.mark.parametrize("text", [UBL, CII])
def test_a_document_of_which_everything_is_read_has_nothing_unmapped(text: str) -> None:
    """Constants that a syntax asks for, such as VAT, are no loss."""
    source = _source(text)
    assert source.unmapped == ()
    assert source.unmapped_total == 0


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (
            "<cbc:ID>",
            "<cbc:UBLVersionID>2.1</cbc:UBLVersionID><cbc:UUID>u</cbc:UUID><cbc:ID>",
            "cbc:UUID",
        ),
        ("<cbc:IssueDate>", '<cbc:IssueDate zone="x">', "cbc:IssueDate/@zone"),
        (
            "</cac:CreditNoteLine>",
            "<cac:DeliveryTerms><cbc:SpecialTerms>s</cbc:SpecialTerms></cac:DeliveryTerms></cac:CreditNoteLine>",
            "cac:CreditNoteLine/cac:DeliveryTerms/cbc:SpecialTerms",
        ),
        ("<cbc:ID>VAT</cbc:ID>", '<cbc:ID schemeID="UN/ECE 5153">VAT</cbc:ID>', "@schemeID"),
        (
            "<cbc:CustomizationID>",
            '<x:Mark xmlns:x="urn:x" x:by="me"/><cbc:CustomizationID>',
            "Q{urn:x}Mark/@Q{urn:x}by",
        ),
        (
            "<cbc:CustomizationID>",
            "<cbc:Zone><!-- a -->b</cbc:Zone><cbc:CustomizationID>",
            "cbc:Zone",
        ),
    ],
)
def test_what_no_path_reads_is_listed(old: str, new: str, path: str) -> None:
    """Elements by their text, attributes by their value, with the prefixes of the table."""
    source = _source(UBL, (old, new))
    (listed,) = source.unmapped
    assert listed == path or listed.endswith(f"/{path}")
    assert source.unmapped_total == 1


def test_what_says_nothing_is_not_listed() -> None:
    """Empty elements, white space, comments, and what XML Schema itself puts on the root."""
    source = _source(
        UBL,
        ("<cbc:CustomizationID>", "<!-- c --><?p i?><cbc:UUID> </cbc:UUID><cbc:CustomizationID>"),
        (
            'xmlns="',
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b"'
            ' xmlns="',
        ),
    )
    assert source.unmapped == ()


def test_a_condition_that_does_not_hold_leaves_the_element_unread() -> None:
    """A reference of a type that no term has is as lost as an element nobody knows."""
    text = document("full.cii.xml").decode()
    before = _source(text)
    source = _source(text, ("<ram:TypeCode>916<", "<ram:TypeCode>758<"))
    lost = set(source.unmapped) - set(before.unmapped)
    assert lost
    assert all("ram:AdditionalReferencedDocument[" in path for path in lost)
    assert any(path.endswith("/ram:IssuerAssignedID") for path in lost)
    assert any(path.endswith("/ram:TypeCode") for path in lost)


def test_a_value_that_is_only_excluded_is_not_accounted_for() -> None:
    """BG-24 takes any document but an invoiced object: what its type says is lost, and listed."""
    text = document("full.ubl.xml").decode()
    typed = "<cbc:DocumentTypeCode>758</cbc:DocumentTypeCode>"
    marker = "<cbc:DocumentDescription>"
    source = _source(text, (marker, typed + marker))
    assert any(path.endswith("/cbc:DocumentTypeCode") for path in source.unmapped)
    source = _source(text, (marker, typed.replace("758", "916") + marker))
    assert not any(path.endswith("/cbc:DocumentTypeCode") for path in source.unmapped)


def test_the_bytes_of_an_attachment_are_not_unmapped() -> None:
    """They stay in the spool; its other attributes are read or listed."""
    source = _source(
        document("full.ubl.xml").decode(),
        ("<cbc:EmbeddedDocumentBinaryObject ", '<cbc:EmbeddedDocumentBinaryObject uri="u" '),
    )
    of_it = [path for path in source.unmapped if "EmbeddedDocumentBinaryObject" in path]
    assert [path.rpartition("/")[2] for path in of_it] == ["@uri"]


def test_positions_are_given_only_where_there_are_several() -> None:
    """A path leads to one place, and is no longer than it must be."""
    several = "".join(f"<cbc:Zone>{n}</cbc:Zone>" for n in range(3))
    source = _source(UBL, ("<cbc:CustomizationID>", several + "<cbc:CustomizationID>"))
    assert source.unmapped == ("cbc:Zone[1]", "cbc:Zone[2]", "cbc:Zone[3]")


def test_many_of_a_kind_do_not_hide_the_others() -> None:
    """Of paths that differ in positions alone a few are listed; all are counted."""
    several = "<cbc:Zone>z</cbc:Zone>" * 300 + "<cbc:UUID>u</cbc:UUID>"
    source = _source(UBL, ("<cbc:CustomizationID>", several + "<cbc:CustomizationID>"))
    assert source.unmapped_total == 301
    assert len(source.unmapped) == MAX_ALIKE + 1
    assert source.unmapped[-1] == "cbc:UUID"


def test_the_list_is_bounded() -> None:
    """A document of nothing but unknown names makes no message of its own size."""
    several = "".join(f"<cbc:Z{n}>z</cbc:Z{n}>" for n in range(3 * MAX_PATHS))
    source = _source(UBL, ("<cbc:CustomizationID>", several + "<cbc:CustomizationID>"))
    assert len(source.unmapped) == MAX_PATHS
    assert source.unmapped_total == 3 * MAX_PATHS


def test_reading_what_is_unmapped_is_linear() -> None:
    """Ten times the lines cost about ten times as much, also when each has something unread."""
    mapping = Mapping.load("en16931")

    def seconds(lines: int) -> float:
        text = ubl_invoice("F-1", lines=lines)
        data = text.replace(
            b"</cac:Item>", b"<cac:Zone><cbc:Zone a='1'>z</cbc:Zone></cac:Zone></cac:Item>"
        )
        parsed = parse(data, DocumentLimits())
        assert isinstance(parsed, ParsedXml)
        best = 9.0
        for _ in range(3):
            start = time.process_time()
            source = mapping.to_canonical(parsed.root, Syntax.UBL).invoice.source
            best = min(best, time.process_time() - start)
        assert source.unmapped_total == 2 * lines
        return best

    assert seconds(3000) < 25 * seconds(300)
