"""CEN's examples that exist in UBL and in CII, term by term. Skipped where they are not at hand.

They were written by different people and do not say quite the same: codes, notes and whole lines
differ. So each difference is traced: what one document says, the other must not say anywhere, or
the term is in the list of those that were looked at, with what the two documents say there.
"""

from __future__ import annotations

import decimal
import os
import re
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from gateway.core.mapping.conversions import same
from tests.core.mapping_documents import content, read

CORPUS = Path(os.environ.get("EDI_GATEWAY_CORPUS", "/nonexistent"))

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not (CORPUS / "cii" / "CII_example1.xml").is_file(),
        reason="EDI_GATEWAY_CORPUS names no folder with CEN's examples",
    ),
]

_ACCOUNT = "payment_instructions.credit_transfers.payment_account_identifier"
_CLASS = "invoice_lines.item_information.classification_identifiers"
_FILE = "additional_supporting_documents.attached_document"
_QUANTITY = "invoice_lines.price_details.item_price_base_quantity"

_LOOKED_AT = {
    _QUANTITY: (
        "CII has the price as the quantity it is for, UBL the quantity",
        ["2", "8", "9", "guide 2", "business 1"],
    ),
    _ACCOUNT: (
        "CII has the account twice, or as the payee's where UBL has the debtor's",
        ["1", "2", "4", "5", "7", "8", "9", "10", "guide 2", "business 1"],
    ),
    f"{_FILE}.filename": (
        "the files are attached to another document",
        ["5"],
    ),
    f"{_FILE}.mime_code": (
        "the files are attached to another document",
        ["2", "5"],
    ),
    "additional_supporting_documents.description": (
        "UBL has one document more, before it",
        ["5"],
    ),
    "additional_supporting_documents.reference": (
        "UBL has a document that CII types as an object",
        ["5", "8"],
    ),
    "delivery_information.deliver_to_location_identifier.scheme": (
        "CII alone gives the scheme",
        ["5"],
    ),
    "delivery_information.invoicing_period.start_date": (
        "CII has the period in the line",
        ["9"],
    ),
    "document_level_allowances.reason_code": (
        "95 in CII, 88 or 100 in UBL",
        ["2", "5"],
    ),
    "document_totals.invoice_total_amount_without_vat": (
        "UBL has a line more",
        ["3"],
    ),
    "document_totals.invoice_total_vat_amount": (
        "UBL has a line more",
        ["3"],
    ),
    "document_totals.sum_of_invoice_line_net_amount": (
        "UBL has a line more",
        ["3"],
    ),
    "invoice_lines.allowances.reason_code": (
        "95 in CII, 100 in UBL",
        ["5"],
    ),
    "invoice_lines.invoiced_quantity": (
        "1 in CII, 2 in UBL",
        ["2", "3", "guide 2", "guide 3", "business 1"],
    ),
    f"{_CLASS}.scheme": (
        "UBL classifies by two schemes, CII by one",
        ["2"],
    ),
    f"{_CLASS}.value": (
        "UBL classifies by two schemes, CII by one",
        ["2", "guide 2", "business 1"],
    ),
    "invoice_lines.item_information.description": (
        "the second line is in UBL only",
        ["3", "guide 3"],
    ),
    "invoice_lines.item_information.name": (
        "the second line is in UBL only",
        ["3", "guide 3"],
    ),
    "invoice_lines.item_information.standard_identifier.scheme": (
        "0088 in CII, 0160 in UBL",
        ["guide 2", "business 1"],
    ),
    "invoice_lines.item_information.standard_identifier.value": (
        "the last digits differ",
        ["2", "guide 2", "business 1"],
    ),
    "invoice_lines.net_amount": (
        "the second line is in UBL only, or the amount differs",
        ["3", "guide 3"],
    ),
    "invoice_lines.object_identifiers.value": (
        "UBL does not type the document as an object (130)",
        ["5"],
    ),
    "invoice_lines.period.end_date": (
        "a month or a day, or the period is that of the invoice",
        ["2", "5", "9", "guide 2", "business 1"],
    ),
    "invoice_lines.period.start_date": (
        "UBL has the period for the whole invoice",
        ["9"],
    ),
    "invoice_lines.price_details.item_net_price": (
        "the second line is in UBL only",
        ["3", "guide 3"],
    ),
    "invoice_lines.price_details.item_price_discount": (
        "another discount",
        ["5", "guide 2", "business 1"],
    ),
    "invoice_lines.referenced_purchase_order_line_reference": (
        "UBL has none in the last line",
        ["2", "guide 2", "business 1"],
    ),
    "invoice_lines.vat_information.invoiced_item_vat_category_code": (
        "the second line is in UBL",
        ["3", "guide 3"],
    ),
    "invoice_lines.vat_information.invoiced_item_vat_rate": (
        "the second line is in UBL only",
        ["guide 3"],
    ),
    "invoiced_object_identifiers.value": (
        "UBL does not type the document as an object (130)",
        ["8"],
    ),
    "payee.identifiers.scheme": (
        "UBL alone gives the scheme",
        ["2", "guide 2", "business 1"],
    ),
    "payment_instructions.direct_debit.debited_account_identifier": (
        "CII has it as the payee's",
        ["5"],
    ),
    "process_control.business_process_type": (
        "UBL alone gives it",
        ["5"],
    ),
    "seller.identifiers.scheme": (
        "UBL alone gives the identifier",
        ["3", "guide 3"],
    ),
    "tender_or_lot_reference": (
        "CII does not type the document as a tender or lot (50)",
        ["5"],
    ),
    "value_added_tax_point_date": (
        "CII alone gives the date",
        ["2", "5"],
    ),
    "value_added_tax_point_date_code": (
        "UBL alone gives the code",
        ["2"],
    ),
    "vat_breakdown.vat_category_code": (
        "the second rate is in UBL only",
        ["3"],
    ),
    "vat_breakdown.vat_category_taxable_amount": (
        "the second rate is in UBL only",
        ["3"],
    ),
}
"""Terms that differ though the other document says the value somewhere: how, and in which pairs."""

PAIRS = {
    **{f"{n}": (f"CII_example{n}.xml", f"ubl-tc434-example{n}.xml") for n in range(1, 10)},
    "10": ("CII_example1.xml", "ubl-tc434-example10.xml"),
    "guide 2": ("CII_example2.xml", "guide-example2.xml"),
    "guide 3": ("CII_example3.xml", "guide-example3.xml"),
    "business 1": ("CII_business_example_01.xml", "guide-example2.xml"),
}


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Where two invoices differ: the path, and what each has there; nothing is "".

    White space and the zeros behind an amount do not count.
    """
    first, second = dict(_flat(one)), dict(_flat(other))
    return [
        (path, first.get(path, ""), second.get(path, ""))
        for path in sorted(first.keys() | second.keys())
        if not same(first.get(path, ""), second.get(path, ""))
    ]


def _flat(held: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(held, dict):
        return [
            one
            for name, value in held.items()
            for one in _flat(value, f"{path}.{name}".removeprefix("."))
        ]
    if isinstance(held, list):
        return [one for at, value in enumerate(held) for one in _flat(value, f"{path}[{at}]")]
    return [(path, _spaced(str(held)))]


def _said(file: Path) -> set[str]:
    """Every text and attribute of a document."""
    return {
        _comparable(_spaced(text))
        for element in etree.fromstring(file.read_bytes()).iter("*")
        for text in (element.text or "", *map(str, element.attrib.values()))
    }


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _comparable(text: str) -> str:
    """A value as both syntaxes write it: numbers without zeros, dates without hyphens."""
    try:
        return str(decimal.Decimal(text).normalize())
    except decimal.InvalidOperation:
        return text.replace("-", "")


@pytest.mark.parametrize("name", PAIRS)
def test_both_forms_of_an_example_agree_term_by_term(name: str) -> None:
    """But for what the other document says nowhere at all, and for what was looked at."""
    cii, ubl = (
        CORPUS / form / file for form, file in zip(("cii", "ubl"), PAIRS[name], strict=True)
    )
    one, other = (content(read(file.read_bytes())) for file in (cii, ubl))
    in_cii, in_ubl = _said(cii), _said(ubl)
    doubtful = {
        re.sub(r"\[[0-9]+\]", "", path)
        for path, first, second in differences(one, other)
        if (first and _comparable(first) in in_ubl) or (second and _comparable(second) in in_cii)
    }
    assert doubtful == {path for path, (_, pairs) in _LOOKED_AT.items() if name in pairs}


@pytest.mark.parametrize("name", PAIRS)
def test_they_agree_in_most_terms(name: str) -> None:
    """Else these would not be two forms of one invoice, and would prove nothing."""
    cii, ubl = CORPUS / "cii" / PAIRS[name][0], CORPUS / "ubl" / PAIRS[name][1]
    one, other = (content(read(file.read_bytes())) for file in (cii, ubl))
    terms = len(dict(_flat(one)).keys() | dict(_flat(other)).keys())
    assert len(differences(one, other)) < 0.4 * terms
