"""What a document says about itself: syntax, type and profile, and what people search it by."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Sequence
from typing import Final, cast

import msgspec
from lxml import etree

from gateway.core.cdar.layout import NAMESPACES as CDAR_NAMESPACES
from gateway.core.cdar.layout import ROOT as STATUS_ROOT
from gateway.core.explain import own_finding
from gateway.core.xml import ParsedXml, friendly_path, locate
from gateway.model.interchange import DocumentType, Syntax
from gateway.model.verdict import Finding

_UBL: Final = "urn:oasis:names:specification:ubl:schema:xsd:"

_CII: Final = "urn:un:unece:uncefact:data:standard:"

ROOTS: Final = {
    f"{{{_UBL}Invoice-2}}Invoice": (Syntax.UBL, DocumentType.INVOICE),
    f"{{{_UBL}CreditNote-2}}CreditNote": (Syntax.UBL, DocumentType.CREDIT_NOTE),
    f"{{{_CII}CrossIndustryInvoice:100}}CrossIndustryInvoice": (Syntax.CII, None),
    STATUS_ROOT: (Syntax.CDAR, DocumentType.STATUS),
}
"""Root element → syntax and document type; CII tells its type by BT-3."""

CREDIT_NOTE_CODES: Final = frozenset(
    ["81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "502", "503", "532"]
)
"""Codes of UNTDID 1001 that EN 16931 counts as credit notes (BT-3)."""

_NAMESPACES: Final = {
    "cbc": f"{_UBL}CommonBasicComponents-2",
    "cac": f"{_UBL}CommonAggregateComponents-2",
    "rsm": f"{_CII}CrossIndustryInvoice:100",
    "ram": f"{_CII}ReusableAggregateBusinessInformationEntity:100",
    "udt": f"{_CII}UnqualifiedDataType:100",
    "cdar": CDAR_NAMESPACES["rsm"],
    "qdt": CDAR_NAMESPACES["qdt"],
}

_MAX_FACT: Final = 200

_AGREEMENT: Final = "rsm:SupplyChainTradeTransaction/ram:ApplicableHeaderTradeAgreement"

_UBL_PARTY: Final = (
    "cac:Party/cac:PartyLegalEntity/cbc:CompanyID",
    "cac:Party/cac:PartyTaxScheme/cbc:CompanyID",
    "cac:Party/cac:PartyIdentification/cbc:ID",
    "cac:Party/cbc:EndpointID",
)

_CII_PARTY: Final = (
    "ram:SpecifiedLegalOrganization/ram:ID",
    "ram:SpecifiedTaxRegistration/ram:ID",
    "ram:GlobalID",
    "ram:ID",
    "ram:URIUniversalCommunication/ram:URIID",
)

_UBL_NAME: Final = (
    "cac:Party/cac:PartyLegalEntity/cbc:RegistrationName",
    "cac:Party/cac:PartyName/cbc:Name",
)

_UBL_AMOUNT: Final = ("TaxInclusiveAmount", "PayableAmount")

_SETTLEMENT: Final = "rsm:SupplyChainTradeTransaction/ram:ApplicableHeaderTradeSettlement"

_SUMMATION: Final = "ram:SpecifiedTradeSettlementHeaderMonetarySummation"

_CII_AMOUNT: Final = (f"{_SUMMATION}/ram:GrandTotalAmount", f"{_SUMMATION}/ram:DuePayableAmount")

_REFERENCE: Final = "cdar:AcknowledgementDocument/ram:ReferenceReferencedDocument"

_PATHS: Final[dict[Syntax, dict[str, tuple[str, ...]]]] = {
    Syntax.UBL: {
        "profile": ("cbc:CustomizationID",),
        "invoice_number": ("cbc:ID",),
        "issue_date": ("cbc:IssueDate",),
        "seller_id": tuple(f"cac:AccountingSupplierParty/{path}" for path in _UBL_PARTY),
        "buyer_id": tuple(f"cac:AccountingCustomerParty/{path}" for path in _UBL_PARTY),
        "seller_name": tuple(f"cac:AccountingSupplierParty/{path}" for path in _UBL_NAME),
        "buyer_name": tuple(f"cac:AccountingCustomerParty/{path}" for path in _UBL_NAME),
        "amount": tuple(f"cac:LegalMonetaryTotal/cbc:{name}" for name in _UBL_AMOUNT),
        "currency": ("cbc:DocumentCurrencyCode",),
    },
    Syntax.CII: {
        "profile": (
            "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID",
        ),
        "type_code": ("rsm:ExchangedDocument/ram:TypeCode",),
        "invoice_number": ("rsm:ExchangedDocument/ram:ID",),
        "issue_date": ("rsm:ExchangedDocument/ram:IssueDateTime/udt:DateTimeString",),
        "seller_id": tuple(f"{_AGREEMENT}/ram:SellerTradeParty/{path}" for path in _CII_PARTY),
        "buyer_id": tuple(f"{_AGREEMENT}/ram:BuyerTradeParty/{path}" for path in _CII_PARTY),
        "seller_name": (f"{_AGREEMENT}/ram:SellerTradeParty/ram:Name",),
        "buyer_name": (f"{_AGREEMENT}/ram:BuyerTradeParty/ram:Name",),
        "amount": tuple(f"{_SETTLEMENT}/{path}" for path in _CII_AMOUNT),
        "currency": (f"{_SETTLEMENT}/ram:InvoiceCurrencyCode",),
    },
    Syntax.CDAR: {
        "profile": (
            "cdar:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID",
        ),
        "invoice_number": (f"{_REFERENCE}/ram:IssuerAssignedID",),
        "issue_date": (f"{_REFERENCE}/ram:FormattedIssueDateTime/qdt:DateTimeString",),
        "seller_id": (f"{_REFERENCE}/ram:IssuerTradeParty/ram:GlobalID",),
    },
}
"""Where each fact stands, the preferred place first: legal registration (BT-30, BT-47), VAT
identifier, other identifiers, electronic address; the total with VAT (BT-112) before the amount due
(BT-115). A lifecycle message has a guideline (MDT-3), and
its first invoice stands for all it speaks of (MDT-87, MDG-35, MDT-129)."""


class DocumentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a document says about itself. `profile` is BT-24, `issue_date` BT-2 as ISO 8601.

    Only syntax, document type and profile decide anything; the rest is for people who search, and
    None where it could not be read.
    """

    syntax: Syntax
    document_type: DocumentType
    profile: str | None = None
    invoice_number: str | None = None
    issue_date: str | None = None
    seller_id: str | None = None
    buyer_id: str | None = None
    seller_name: str | None = None
    buyer_name: str | None = None
    amount: str | None = None
    currency: str | None = None


def identify(parsed: ParsedXml) -> DocumentFacts | Finding:
    """Syntax, type and profile of the document, or the finding that its root is not ours."""
    root = parsed.root
    kind = ROOTS.get(root.tag)
    if kind is None:
        place = locate(parsed, root)
        return own_finding(
            "ROUTE-UNKNOWN-ROOT",
            location=friendly_path(root),
            line=place.line,
            column=place.column,
            excerpt=place.excerpt,
            root=root.tag,
            known=tuple(ROOTS),
        )
    syntax, document_type = kind
    facts = {name: _text(root, paths) for name, paths in _PATHS[syntax].items()}
    if document_type is None:
        credit = facts.pop("type_code") in CREDIT_NOTE_CODES
        document_type = DocumentType.CREDIT_NOTE if credit else DocumentType.INVOICE
    facts["issue_date"] = _iso_date(facts["issue_date"])
    return DocumentFacts(syntax=syntax, document_type=document_type, **facts)


def profile_element(parsed: ParsedXml, syntax: Syntax) -> etree._Element:
    """Where BT-24 stands; the root where it does not."""
    element = _first(parsed.root, _PATHS[syntax]["profile"])
    return parsed.root if element is None else element


@functools.cache
def _finder(path: str) -> etree.XPath:
    return etree.XPath(path, namespaces=_NAMESPACES)


def _first(root: etree._Element, paths: Sequence[str]) -> etree._Element | None:
    """The first element, in the order of the paths, that has a text."""
    for path in paths:
        for element in cast("list[etree._Element]", _finder(path)(root)):
            if element.text and element.text.strip():
                return element
    return None


def _text(root: etree._Element, paths: Sequence[str]) -> str | None:
    element = _first(root, paths)
    return element.text.strip()[:_MAX_FACT] if element is not None and element.text else None


def _iso_date(text: str | None) -> str | None:
    """A date as UBL (2026-01-31, perhaps with time zone) or CII (20260131) writes it, else None."""
    match = re.match(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?![0-9])", text or "")
    if match is None:
        return None
    try:
        return dt.date(*map(int, match.groups())).isoformat()
    except ValueError:
        return None
