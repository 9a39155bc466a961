"""The order of lists: that of the document, in both syntaxes; what cannot keep it has one rule."""

from __future__ import annotations

import msgspec
import pytest
from lxml import etree

from gateway.model.interchange import INVOICE_SYNTAXES, Syntax
from gateway.model.invoice import Invoice
from gateway.model.invoice_types import Identifier
from tests.core.mapping_documents import document, mapping, read
from tests.core.writing_documents import write

BOTH = pytest.mark.parametrize("syntax", INVOICE_SYNTAXES)
_PARTIES = {
    "seller": "AccountingSupplierParty/{*}Party",
    "buyer": "AccountingCustomerParty/{*}Party",
    "payee": "PayeeParty",
}


def _backwards(*schemes: str | None) -> tuple[Identifier, ...]:
    """Identifiers whose values are not in the order of the alphabet."""
    return tuple(Identifier(value=f"{9 - n}", scheme=one) for n, one in enumerate(schemes))


def _invoice() -> Invoice:
    """The full invoice with every list of identifiers that stands in one place."""
    invoice = read(document("full.cii.xml")).invoice
    line = invoice.invoice_lines[0]
    item = line.item_information
    assert item is not None
    item = msgspec.structs.replace(
        item, classification_identifiers=_backwards("STI", "TST", None, "STI")
    )
    line = msgspec.structs.replace(
        line, item_information=item, object_identifiers=_backwards("ON", None, "ABZ")
    )
    return msgspec.structs.replace(
        invoice,
        invoiced_object_identifiers=_backwards("VN", None, "AEP"),
        additional_supporting_documents=(),
        invoice_lines=(line,),
    )


@BOTH
def test_identifiers_that_stand_in_one_place_keep_their_order(syntax: Syntax) -> None:
    """BT-18, BT-128 and BT-158, with schemes and without, mixed as nobody would."""
    invoice = _invoice()
    back = read(write(invoice, syntax).document).invoice
    assert back.invoiced_object_identifiers == invoice.invoiced_object_identifiers
    assert back.invoice_lines == invoice.invoice_lines


@pytest.mark.parametrize("party", _PARTIES)
def test_the_order_of_a_partys_identifiers_is_the_same_however_ubl_has_them(party: str) -> None:
    """Those without a scheme first, as CII has them; among themselves as in the document."""
    root = etree.fromstring(document("full.ubl.xml"))
    element = root.find(f".//{{*}}{_PARTIES[party]}")
    assert element is not None
    (first, *_) = found = element.findall("{*}PartyIdentification")
    place = element.index(first)
    for one in found:
        element.remove(one)
    for value, scheme in reversed([("Z", "0088"), ("Y", None), ("X", "0009"), ("W", None)]):
        made = etree.Element(first.tag)
        etree.SubElement(made, first[0].tag, {"schemeID": scheme} if scheme else {}).text = value
        element.insert(place, made)
    invoice = read(etree.tostring(root)).invoice
    held = getattr(invoice, party).identifiers
    assert [(one.value, one.scheme) for one in held] == [
        ("Y", None),
        ("W", None),
        ("Z", "0088"),
        ("X", "0009"),
    ]
    for syntax in INVOICE_SYNTAXES:
        back = read(write(invoice, syntax).document).invoice
        assert getattr(back, party).identifiers == held


def test_in_cii_a_scheme_on_the_plain_id_counts() -> None:
    """An ID with a scheme that stands before one without: the rule asks for the scheme."""
    root = etree.fromstring(document("full.cii.xml"))
    element = root.find(".//{*}PayeeTradeParty")
    assert element is not None
    tag = element[0].tag
    for one in [*element.findall("{*}ID"), *element.findall("{*}GlobalID")]:
        element.remove(one)
    for value, scheme in (("Y", None), ("Z", "0088")):
        made = etree.Element(tag.rpartition("}")[0] + "}ID", {"schemeID": scheme} if scheme else {})
        made.text = value
        element.insert(0, made)
    payee = read(etree.tostring(root)).invoice.payee
    assert payee is not None
    assert [one.value for one in payee.identifiers] == ["Y", "Z"]


def test_the_rule_is_for_those_only_that_a_syntax_writes_in_two_places() -> None:
    """Where one element holds them all, the order of the document is kept."""
    terms = mapping().table.terms
    sorted_ones = {key for key, term in terms.items() if term.by_scheme}
    assert {"BT-29", "BT-46", "BT-60"} <= sorted_ones
    assert sorted_ones.isdisjoint({"BT-18", "BT-128", "BT-158", "BT-71"})
