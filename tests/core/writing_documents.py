"""What the tests of writing share: documents to write again, and the official verdict on them."""

from __future__ import annotations

import copy
import decimal
import functools
import re
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from bench.invoices import cii_invoice, ubl_invoice
from gateway.core.mapping.writer import InvoiceWriter, Written
from gateway.core.mapping.writer_contents import contents
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.runner import RulePacks
from gateway.core.xml import ParsedXml, parse
from gateway.core.xsd import SchemaStore
from gateway.model.interchange import Syntax
from gateway.model.invoice import Invoice
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding, Severity
from gateway.samples import SAMPLES, sample_bytes
from tests import b2g_documents, facturx_documents
from tests.core.mapping_documents import DATA, mapping
from tests.official_chain import cen_cii_rules

SCHEMAS = {Syntax.UBL: "ubl-2.1", Syntax.CII: "cii-d22b"}
EUROPEAN = {Syntax.UBL: "en16931-ubl", Syntax.CII: "en16931-cii"}
FRENCH = {Syntax.UBL: "br-fr-flux2-ubl", Syntax.CII: "br-fr-flux2-cii"}

DOCUMENTS: dict[str, Callable[[], bytes]] = {
    **{
        f"sample {one.file}": functools.partial(sample_bytes, one.file)
        for one in SAMPLES
        if one.expected_rule != "XSD-INVALID"
    },
    **{f"pair {file.name}": file.read_bytes for file in sorted(DATA.glob("*.xml"))},
    **{
        f"b2g {name}": functools.partial(bytes, b2g_documents.DOCUMENTS[name])
        for name in b2g_documents.DOCUMENTS
    },
    **{
        f"factur-x {profile} {source}": functools.partial(
            facturx_documents.document, profile, source
        )
        for profile in facturx_documents.PROFILES
        for source in ("sample", "generated")
    },
    "bench invoice": functools.partial(ubl_invoice, "WRITE-1"),
    "bench credit note": functools.partial(ubl_invoice, "WRITE-2", credit_note=True),
    "bench cii": functools.partial(cii_invoice, "WRITE-3"),
}


@functools.cache
def writer() -> InvoiceWriter:
    """The writer of the mapping on board."""
    return InvoiceWriter(mapping().table, Catalogue.load())


def write(invoice: Invoice, syntax: Syntax, received: bytes | None = None) -> Written:
    """The invoice in a syntax, with the files attached to the document it was read from."""
    held = None if received is None else contents(etree.fromstring(received), mapping().table)
    return writer().write(invoice, syntax, held)


@functools.cache
def _schemas() -> SchemaStore:
    return SchemaStore(Catalogue.load())


@functools.cache
def _packs() -> RulePacks:
    return RulePacks(Catalogue.load())


def errors(data: bytes, rules: dict[Syntax, str] = EUROPEAN) -> list[str]:
    """What the official schema, then a rule pack, find wrong with a document."""
    parsed = parse(data, DocumentLimits())
    assert isinstance(parsed, ParsedXml), parsed
    local = etree.QName(parsed.root).localname
    syntax = Syntax.CII if local == "CrossIndustryInvoice" else Syntax.UBL
    if syntax is Syntax.CII and cen_cii_rules() is None:
        pytest.skip("CEN's rules for CII are not imported (make rules)")
    if found := _schemas().validate(SCHEMAS[syntax], parsed):
        return [f"{one.location}: {one.message}" for one in found]
    try:
        return [
            f"{one.rule} {one.location}"
            for one in _packs().run(rules[syntax], parsed)
            if one.severity is Severity.ERROR
        ]
    finally:
        _packs().release()


def without(content: dict[str, Any], findings: tuple[Finding, ...], rule: str) -> dict[str, Any]:
    """The canonical content without the values that findings of a rule are about."""
    left = copy.deepcopy(content)
    for finding in findings:
        if finding.rule == rule and finding.location:
            _drop(left, re.findall(r"\w+", finding.location))
    return left


def stated(content: dict[str, Any]) -> dict[str, Any]:
    """The canonical content with what it leaves to be understood: BT-110, BT-147, BT-148."""
    full = copy.deepcopy(content)
    taxes = [one.get("vat_category_tax_amount") for one in full.get("vat_breakdown", [])]
    if taxes and None not in taxes:
        full.setdefault("document_totals", {}).setdefault("invoice_total_vat_amount", _sum(taxes))
    for line in full.get("invoice_lines", []):
        prices = line.get("price_details", {})
        if "item_gross_price" in prices:
            prices.setdefault("item_price_discount", "0")
        elif "item_price_discount" in prices and "item_net_price" in prices:
            parts = [prices["item_net_price"], prices["item_price_discount"]]
            prices["item_gross_price"] = _sum(parts)
    return full


def _sum(decimals: list[str]) -> str:
    with decimal.localcontext(prec=500):
        return f"{sum(map(decimal.Decimal, decimals)):f}"


def _drop(held: Any, steps: list[str]) -> None:
    """Take a value out, if it is there, and every group that nothing is left in."""
    key: Any = int(steps[0]) if isinstance(held, list) else steps[0]
    if key not in (range(len(held)) if isinstance(held, list) else held):
        return
    if len(steps) > 1:
        _drop(held[key], steps[1:])
    if len(steps) == 1 or not held[key]:
        del held[key]
