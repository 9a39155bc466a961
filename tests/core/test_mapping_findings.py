"""What cannot be read exactly becomes a finding with its place: never a guess, never a crash."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.core.mapping.compiler import MappingResult
from gateway.core.mapping.conversions import MAX_FINDINGS
from gateway.errors import ConfigurationError
from gateway.model.interchange import Syntax
from gateway.model.invoice import canonical_json
from gateway.model.verdict import Layer, Severity
from tests.core.mapping_documents import content, document, leaves, mapping, read


def _changed(name: str, old: str, new: str) -> MappingResult:
    text = document(name).decode()
    assert old in text
    return read(text.replace(old, new, 1).encode())


@pytest.mark.parametrize(
    ("name", "old", "new", "rule", "term"),
    [
        ("full.ubl.xml", "2026-03-16<", "2026-02-30<", "MAP-DATE", "BT-2"),
        ("full.ubl.xml", "2026-03-16<", "16/03/2026<", "MAP-DATE", "BT-2"),
        ("full.ubl.xml", "2026-03-16<", "20260316<", "MAP-DATE", "BT-2"),
        ("full.cii.xml", "20260316<", "20260230<", "MAP-DATE", "BT-2"),
        ("full.cii.xml", "20260316<", "2026-03-16<", "MAP-DATE", "BT-2"),
        ("full.cii.xml", "20260316<", "202603160900<", "MAP-DATE", "BT-2"),
        ("full.cii.xml", '"102">20260316', '"203">20260316', "MAP-DATE", "BT-2"),
        ("full.ubl.xml", ">476.50<", ">476,50<", "MAP-DECIMAL", "BT-115"),
        ("full.ubl.xml", ">476.50<", ">4.765E2<", "MAP-DECIMAL", "BT-115"),
        ("full.cii.xml", ">476.50<", ">٤٧٦<", "MAP-DECIMAL", "BT-115"),
        ("full.cii.xml", 'unitCode="C62">10<', 'unitCode="C62">ten<', "MAP-DECIMAL", "BT-129"),
        ("full.ubl.xml", '"EUR">476.50', '"USD">476.50', "MAP-CURRENCY", "BT-115"),
        ("credit-note.cii.xml", ">72<", ">73<", "MAP-CODE", "BT-8"),
    ],
)
def test_a_value_that_cannot_be_read_is_an_error_with_its_place(
    name: str, old: str, new: str, rule: str, term: str
) -> None:
    """The finding names term, place and value; the invoice lacks the value, not the rest."""
    result = _changed(name, old, new)
    (finding,) = result.findings
    assert finding.rule == rule
    assert finding.terms == (term,)
    assert finding.layer is Layer.BUSINESS
    assert finding.severity is Severity.ERROR
    assert finding.location is not None
    assert finding.location.startswith(("/Invoice/", "/rsm:CrossIndustryInvoice/"))
    assert finding.line is not None
    assert finding.column is not None
    assert finding.excerpt is not None
    assert finding.explanation is not None
    assert finding.remedy is not None
    assert (
        len(list(leaves(content(result)))) == len(list(leaves(content(read(document(name)))))) - 1
    )


@pytest.mark.parametrize("syntax", ["ubl", "cii"])
def test_what_every_profile_asks_for_is_missed(syntax: str) -> None:
    """An invoice without number, date or totals is never published: each is an error."""
    text = document(f"full.{syntax}.xml").decode()
    pattern = {
        "ubl": r"\n  <cbc:(?:ID|IssueDate|InvoiceTypeCode)>.*|<cbc:PayableAmount.*",
        "cii": r"\n    <ram:(?:ID|TypeCode)>.*|<udt:DateTimeString format=\"102\">20260316.*"
        r"|<ram:DuePayableAmount.*",
    }[syntax]
    result = read(re.sub(pattern, "", text).encode())
    missed = {finding.terms[0]: finding for finding in result.findings}
    assert missed.keys() == {"BT-1", "BT-2", "BT-3", "BT-115"}
    assert all(finding.rule == "MAP-MISSING" for finding in missed.values())
    place = {"ubl": "cbc:IssueDate", "cii": "rsm:ExchangedDocument/ram:IssueDateTime"}[syntax]
    assert place in missed["BT-2"].message


def test_a_value_given_twice_is_kept_once_and_told() -> None:
    """The model has room for one: the first stands and a warning says what was left out."""
    result = _changed(
        "full.ubl.xml",
        "<cac:ContractDocumentReference>",
        "<cac:ContractDocumentReference><cbc:ID>CTR-X</cbc:ID></cac:ContractDocumentReference>"
        "<cac:ContractDocumentReference>",
    )
    (finding,) = result.findings
    assert (finding.rule, finding.severity) == ("MAP-REPEATED", Severity.WARNING)
    assert result.invoice.contract_reference == "CTR-X"
    assert "CTR-2024-17" in finding.message


def test_the_same_value_twice_is_no_finding() -> None:
    """Two price bases that are equal as numbers agree; the net price's spelling is kept."""
    result = read(document("full.cii.xml"))
    assert result.findings == ()
    prices = result.invoice.invoice_lines[0].price_details
    assert prices is not None
    assert prices.item_price_base_quantity == "1"


def test_of_two_paths_the_first_in_the_table_wins() -> None:
    """BT-149 beside the net price stands, whatever the gross price says before it."""
    result = _changed("full.cii.xml", '"C62">1.0<', '"C62">5<')
    (finding,) = result.findings
    assert finding.rule == "MAP-REPEATED"
    prices = result.invoice.invoice_lines[0].price_details
    assert prices is not None
    assert prices.item_price_base_quantity == "1"
    assert "'5' is not" in finding.message


def test_two_elements_of_one_group_are_not_mixed() -> None:
    """A second contact does not lend its e-mail address to the first."""
    result = _changed(
        "full.cii.xml",
        "<ram:DefinedTradeContact>",
        "<ram:DefinedTradeContact><ram:PersonName>Someone else</ram:PersonName>"
        "</ram:DefinedTradeContact><ram:DefinedTradeContact>",
    )
    (finding,) = result.findings
    assert (finding.rule, finding.terms) == ("MAP-REPEATED", ("BG-6",))
    seller = result.invoice.seller
    assert seller is not None
    assert seller.contact is not None
    assert seller.contact.contact_point == "Someone else"
    assert seller.contact.email_address is None


def test_a_time_zone_is_not_stripped() -> None:
    """xsd:date may carry one; it is part of what the sender wrote."""
    result = _changed("full.ubl.xml", "2026-03-16<", "2026-03-16+01:00<")
    assert result.invoice.invoice_issue_date == "2026-03-16+01:00"
    assert result.findings == ()


def test_amounts_are_kept_to_the_letter() -> None:
    """More digits than any float holds, signs and trailing zeros all survive."""
    result = _changed("full.ubl.xml", ">476.50<", "> +00476.5000000000000000000000010 <")
    assert result.invoice.document_totals is not None
    assert (
        result.invoice.document_totals.amount_due_for_payment == "+00476.5000000000000000000000010"
    )


def test_an_empty_element_is_nothing() -> None:
    """`<cbc:Name/>` gives no property, and a group of empty elements no group."""
    result = _changed("full.ubl.xml", "<cbc:Name>Vélo Éclair</cbc:Name>", "<cbc:Name> </cbc:Name>")
    assert result.invoice.seller is not None
    assert result.invoice.seller.trading_name is None
    result = _changed("credit-note.cii.xml", "<ram:CountryID>FR</ram:CountryID>", "")
    assert result.invoice.seller is not None
    assert result.invoice.seller.postal_address is None


def test_several_buyer_identifiers_are_all_kept() -> None:
    """EXTENDED-CTC-FR has SIRET and service code side by side (BT-46)."""
    more = "<ram:GlobalID schemeID='0224'>ACHATS</ram:GlobalID>"
    result = _changed("full.cii.xml", "<ram:Name>Régie", f"{more}<ram:Name>Régie")
    assert result.invoice.buyer is not None
    assert [one.scheme for one in result.invoice.buyer.identifiers] == ["0009", "0224"]


def test_ten_thousand_bad_lines_do_not_make_ten_thousand_sentences() -> None:
    """The list of findings is bounded, and says that it is."""
    text = document("full.ubl.xml").decode()
    line = text[text.index("  <cac:InvoiceLine>") : text.index("</Invoice>")]
    bad = line.replace(">10<", ">x<") * (2 * MAX_FINDINGS)
    result = read(text.replace(line, bad).encode())
    assert len(result.invoice.invoice_lines) == 4 * MAX_FINDINGS
    rules = [finding.rule for finding in result.findings]
    assert rules == ["MAP-DECIMAL"] * MAX_FINDINGS + ["MAP-MORE"]


def test_a_root_the_table_does_not_know_is_our_mistake() -> None:
    """Routing has let it through, so the flow names the wrong mapping: a configuration error."""
    with pytest.raises(ConfigurationError, match="documents"):
        mapping().to_canonical(etree.fromstring("<Order/>"), Syntax.UBL)
    invoice = etree.fromstring(document("full.ubl.xml"))
    with pytest.raises(ConfigurationError, match="cii"):
        mapping().to_canonical(invoice, Syntax.CII)


TEXTS = st.sampled_from(
    ["", " ", "x", "-1", "1e9", "20260230", "2026-13-01", "#AAI#", "##", "#A#", "∞", "9" * 400]
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["full.ubl.xml", "full.cii.xml", "credit-note.ubl.xml"]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 3), TEXTS), max_size=6),
)
def test_no_document_however_mangled_makes_the_mapping_fail(
    name: str, changes: list[tuple[int, int, str]]
) -> None:
    """Removed, doubled, moved or overwritten elements give an invoice and findings, always."""
    root = etree.fromstring(document(name))
    for at, kind, text in changes:
        elements = list(root.iter("*"))
        element = elements[at % len(elements)]
        parent = element.getparent()
        if parent is None:
            continue
        if kind == 0:
            parent.remove(element)
        elif kind == 1:
            parent.append(etree.fromstring(etree.tostring(element)))
        elif kind == 2:
            element.text = text
        else:
            elements[(at * 7) % len(elements)].append(etree.fromstring(etree.tostring(element)))
    result = read(etree.tostring(root))
    assert canonical_json(result.invoice).startswith(b"{")
    assert len(result.findings) <= MAX_FINDINGS + 1
