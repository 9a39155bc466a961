"""What one syntax has to state and another leaves to be understood, and what says nothing.

UBL demands a VAT total around a breakdown and a discount beside a gross price, CII a gross price
beside a discount: the canonical invoice has them whatever the syntax, and says which of them it
worked out.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from lxml import etree

from gateway.core.mapping.conversions import same
from gateway.core.mapping.derived import exact_sum
from gateway.core.mapping.unmapped import MAX_PATHS
from gateway.model.interchange import INVOICE_SYNTAXES, Syntax
from gateway.model.invoice import Invoice
from tests.core.mapping_documents import content, document, read
from tests.core.writing_documents import errors, write

BOTH = pytest.mark.parametrize("syntax", INVOICE_SYNTAXES)
_TOTAL = ".//{*}TaxTotalAmount"


def _without(name: str, *paths: str) -> Invoice:
    """A document of the pairs without the elements at these paths, read."""
    root = etree.fromstring(document(name))
    for path in paths:
        for element in root.findall(path):
            around = element.getparent()
            assert around is not None
            around.remove(element)
    return read(etree.tostring(root)).invoice


def _prices(invoice: Invoice) -> dict[str, Any]:
    prices = invoice.invoice_lines[0].price_details
    assert prices is not None
    built: dict[str, Any] = msgspec.to_builtins(prices)
    return {name: value for name, value in built.items() if "gross" in name or "discount" in name}


def test_a_gross_price_alone_means_no_discount() -> None:
    """BT-147 is nothing then, which UBL would have to write."""
    path = ".//{*}GrossPriceProductTradePrice/{*}AppliedTradeAllowanceCharge"
    invoice = _without("full.cii.xml", path)
    assert _prices(invoice)["item_price_discount"] == "0"
    assert "invoice_lines[0].price_details.item_price_discount" in invoice.source.derived
    assert invoice.source.derived_total == len(invoice.source.derived)


def test_a_discount_alone_gives_the_gross_price() -> None:
    """BT-148 is BT-146 + BT-147, which CII would have to write."""
    whole = _prices(read(document("full.ubl.xml")).invoice)
    invoice = _without("full.ubl.xml", ".//{*}Price/{*}AllowanceCharge/{*}BaseAmount")
    assert set(_prices(invoice)) == set(whole)
    assert same(_prices(invoice)["item_gross_price"], whole["item_gross_price"])
    assert "invoice_lines[0].price_details.item_gross_price" in invoice.source.derived


def test_a_breakdown_alone_gives_the_vat_total() -> None:
    """BR-CO-14: BT-110 is the sum of BT-117."""
    whole = read(document("full.cii.xml")).invoice
    invoice = _without("full.cii.xml", _TOTAL)
    assert invoice.document_totals is not None
    assert whole.document_totals is not None
    told = invoice.document_totals.invoice_total_vat_amount
    assert told == whole.document_totals.invoice_total_vat_amount
    assert invoice.source.derived == ("document_totals.invoice_total_vat_amount",)
    assert invoice.source.derived_total == 1


def test_what_could_not_be_read_is_not_worked_out() -> None:
    """The document states it; that it cannot be used is an error, not an occasion to guess."""
    spoilt = document("full.cii.xml").replace(b'currencyID="EUR">', b'currencyID="EUR">x', 1)
    result = read(spoilt)
    assert [one.terms for one in result.findings if one.rule == "MAP-DECIMAL"] == [("BT-110",)]
    assert result.invoice.document_totals is not None
    assert result.invoice.document_totals.invoice_total_vat_amount is None
    assert result.invoice.source.derived == ()


def test_a_sum_lacks_no_part() -> None:
    """A net price that is missing gives no gross price, and no wrong one."""
    invoice = _without(
        "full.ubl.xml", ".//{*}Price/{*}AllowanceCharge/{*}BaseAmount", ".//{*}Price/{*}PriceAmount"
    )
    assert "item_gross_price" not in _prices(invoice)


@pytest.mark.parametrize(
    ("parts", "total"),
    [
        (["0.00", "0"], "0.00"),
        (["0.0000000", "-0"], "0.0000000"),
        (["+1.", ".5"], "1.5"),
        (["9" * 300, "0." + "0" * 300 + "1"], "9" * 300 + "." + "0" * 300 + "1"),
        (["1" + "0" * 999, "0.1"], None),
    ],
)
def test_sums_are_exact_or_none(parts: list[str], total: str | None) -> None:
    """No rounding, no exponent: what comes out is a decimal of the canonical invoice."""
    assert exact_sum(parts) == total


def test_many_are_listed_as_far_as_there_is_room() -> None:
    """As with what is unmapped: the beginning, and how many."""
    root = etree.fromstring(document("full.cii.xml"))
    for discount in root.findall(".//{*}AppliedTradeAllowanceCharge"):
        around = discount.getparent()
        assert around is not None
        around.remove(discount)
    line = root.find(".//{*}IncludedSupplyChainTradeLineItem")
    assert line is not None
    for _ in range(MAX_PATHS):
        line.addnext(etree.fromstring(etree.tostring(line)))
    source = read(etree.tostring(root)).invoice.source
    assert len(source.derived) == MAX_PATHS
    assert source.derived_total > MAX_PATHS
    assert source.derived[1] == "invoice_lines[1].price_details.item_price_discount"


@BOTH
def test_a_currency_for_vat_that_is_the_invoices_own_says_nothing(syntax: Syntax) -> None:
    """EN 16931-1 has BT-6 for another currency: it is listed, not read, nor written."""
    data = document("full.ubl.xml")
    same = data.replace(b"<cbc:TaxCurrencyCode>CHF", b"<cbc:TaxCurrencyCode>EUR")
    assert same != data
    result = read(same)
    assert result.invoice.vat_accounting_currency_code is None
    assert result.invoice.document_totals is not None
    assert result.invoice.document_totals.invoice_total_vat_amount_in_accounting_currency is None
    assert "cbc:TaxCurrencyCode" in result.invoice.source.unmapped
    written = write(result.invoice, syntax, same)
    assert written.findings == ()
    assert b"TaxCurrencyCode" not in written.document
    assert content(read(written.document)) == content(result)


def _few_references() -> Invoice:
    """Numbers of the seller, and of whole documents, without those UBL demands around them."""
    invoice = read(document("full.cii.xml")).invoice
    line = msgspec.structs.replace(
        invoice.invoice_lines[0],
        referenced_purchase_order_line_reference=None,
        purchase_order_reference="PO-7",
        sales_order_reference="SO-7",
        despatch_advice_reference="DA-7",
        receiving_advice_reference="RA-7",
    )
    return msgspec.structs.replace(
        invoice,
        purchase_order_reference=None,
        purchase_order_date=None,
        sales_order_reference="SO-1",
        additional_supporting_documents=(),
        invoice_lines=(line, *invoice.invoice_lines[1:]),
    )


@BOTH
def test_a_reference_that_is_not_given_is_no_reference(syntax: Syntax) -> None:
    """UBL demands BT-13 around BT-14, and the reference of a line around that of its document."""
    invoice = _few_references()
    written = write(invoice, syntax)
    assert written.findings == ()
    assert errors(written.document) == []
    assert (b">NA<" in written.document) is (syntax is Syntax.UBL)
    back = read(written.document).invoice
    assert back.source.unmapped == ()
    assert msgspec.structs.replace(back, source=invoice.source) == invoice


def test_a_reference_that_reads_like_none_is_told() -> None:
    """An order that really is called NA cannot be told from none in UBL."""
    invoice = msgspec.structs.replace(_few_references(), purchase_order_reference="na")
    (told,) = write(invoice, Syntax.UBL).findings
    assert (told.rule, told.location) == ("MAP-NO-PLACE", "purchase_order_reference")
    assert write(invoice, Syntax.CII).findings == ()
