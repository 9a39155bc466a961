"""The invoices of tests/data/b2g, which obey the B2G rules, and how tests change them.

A change is written once: places have the same name in UBL and in CII.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from lxml import etree

from gateway.core.xml import ParsedXml, parse
from gateway.model.job import DocumentLimits

SELLER_SIRET: Final = "00012345500016"
BUYER_SIRET: Final = "00047110200012"
AGENT_SIRET: Final = "00090817800015"

_CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
_CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
_RSM = "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
_RAM = "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
_UDT = "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"
NAMESPACES: Final = {"cac": _CAC, "cbc": _CBC, "rsm": _RSM, "ram": _RAM, "udt": _UDT}

DOCUMENTS: Final = {
    kind: (Path(__file__).parent / "data" / "b2g" / f"{kind}.xml").read_bytes()
    for kind in ("ubl-invoice", "ubl-credit-note", "cii-invoice")
}

_SELLER = (
    "/*/cac:AccountingSupplierParty/cac:Party",
    "//ram:ApplicableHeaderTradeAgreement/ram:SellerTradeParty",
)
_BUYER = (
    "/*/cac:AccountingCustomerParty/cac:Party",
    "//ram:ApplicableHeaderTradeAgreement/ram:BuyerTradeParty",
)
_PAYEE = ("/*/cac:PayeeParty", "//ram:PayeeTradeParty")
_AGENT = (f"{_SELLER[0]}/cac:AgentParty", "//ram:SalesAgentTradeParty")
_IDENTIFIER = ("cac:PartyIdentification/cbc:ID", "ram:GlobalID")
_LEGAL = ("cac:PartyLegalEntity/cbc:CompanyID", "ram:SpecifiedLegalOrganization/ram:ID")
_NAME = ("cac:PartyLegalEntity/cbc:RegistrationName", "ram:Name")
_TRADING = ("cac:PartyName/cbc:Name", "ram:SpecifiedLegalOrganization/ram:TradingBusinessName")
_CONTACT = ("cac:Contact", "ram:DefinedTradeContact")
_LINE = (
    "/*/*[self::cac:InvoiceLine or self::cac:CreditNoteLine]",
    "//ram:IncludedSupplyChainTradeLineItem",
)


def _in(party: tuple[str, str], part: tuple[str, str]) -> tuple[str, str]:
    return f"{party[0]}/{part[0]}", f"{party[1]}/{part[1]}"


PLACES: Final[dict[str, tuple[str, str]]] = {
    "BT-1": ("/*/cbc:ID", "/*/rsm:ExchangedDocument/ram:ID"),
    "BT-12": (
        "/*/cac:ContractDocumentReference/cbc:ID",
        "//ram:ContractReferencedDocument/ram:IssuerAssignedID",
    ),
    "BT-13": (
        "/*/cac:OrderReference/cbc:ID",
        "//ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID",
    ),
    "BT-20": ("/*/cac:PaymentTerms/cbc:Note", "//ram:SpecifiedTradePaymentTerms/ram:Description"),
    "BT-22": ("/*/cbc:Note[1]", "//ram:IncludedNote[1]/ram:Content"),
    "BT-23": ("/*/cbc:ProfileID", "//ram:BusinessProcessSpecifiedDocumentContextParameter/ram:ID"),
    "BT-25": (
        "/*/cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID",
        "//ram:ApplicableHeaderTradeSettlement/ram:InvoiceReferencedDocument/ram:IssuerAssignedID",
    ),
    "BT-27": _in(_SELLER, _NAME),
    "BT-28": _in(_SELLER, _TRADING),
    "BT-29": _in(_SELLER, _IDENTIFIER),
    "BT-30": _in(_SELLER, _LEGAL),
    "BT-31": _in(
        _SELLER, ("cac:PartyTaxScheme/cbc:CompanyID", "ram:SpecifiedTaxRegistration/ram:ID")
    ),
    "BT-35": _in(
        _SELLER, ("cac:PostalAddress/cbc:StreetName", "ram:PostalTradeAddress/ram:LineOne")
    ),
    "BT-37": _in(
        _SELLER, ("cac:PostalAddress/cbc:CityName", "ram:PostalTradeAddress/ram:CityName")
    ),
    "BT-44": _in(_BUYER, _NAME),
    "BT-45": _in(_BUYER, _TRADING),
    "BT-46/0009": _in(
        _BUYER, (f"{_IDENTIFIER[0]}[@schemeID='0009']", f"{_IDENTIFIER[1]}[@schemeID='0009']")
    ),
    "BT-46/0224": _in(
        _BUYER, (f"{_IDENTIFIER[0]}[@schemeID='0224']", f"{_IDENTIFIER[1]}[@schemeID='0224']")
    ),
    "BT-59": _in(_PAYEE, ("cac:PartyName/cbc:Name", "ram:Name")),
    "BT-60": _in(_PAYEE, _IDENTIFIER),
    "BT-61": _in(_PAYEE, _LEGAL),
    "BT-71": (
        "/*/cac:Delivery/cac:DeliveryLocation/cbc:ID",
        "//ram:ApplicableHeaderTradeDelivery/ram:ShipToTradeParty/ram:ID",
    ),
    "BT-84": (
        "/*/cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID",
        "//ram:PayeePartyCreditorFinancialAccount/ram:IBANID",
    ),
    "BT-120": ("//cbc:TaxExemptionReason", "//ram:ExemptionReason"),
    "BT-122": (
        "/*/cac:AdditionalDocumentReference/cbc:ID",
        "//ram:AdditionalReferencedDocument/ram:IssuerAssignedID",
    ),
    "BT-125": ("//cbc:EmbeddedDocumentBinaryObject", "//ram:AttachmentBinaryObject"),
    "BT-154": _in(_LINE, ("cac:Item/cbc:Description", "ram:SpecifiedTradeProduct/ram:Description")),
    "BG-3": (
        "/*/cac:BillingReference",
        "//ram:ApplicableHeaderTradeSettlement/ram:InvoiceReferencedDocument",
    ),
    "BG-6": _in(_SELLER, _CONTACT),
    "BG-9": _in(_BUYER, _CONTACT),
    "BG-10": _PAYEE,
    "BG-24": ("/*/cac:AdditionalDocumentReference", "//ram:AdditionalReferencedDocument"),
    "BG-25": _LINE,
    "payment terms": ("/*/cac:PaymentTerms", "//ram:SpecifiedTradePaymentTerms"),
    "note that says B2G": ("/*/cbc:Note[2]", "//ram:IncludedNote[2]"),
    "EXT-FR-FE-01": (
        "/*/cac:ContractDocumentReference/cbc:DocumentType",
        "//ram:ReferenceTypeCode",
    ),
    "EXT-FR-FE-69": _in(_AGENT, _IDENTIFIER),
    "EXT-FR-FE-71": _in(_AGENT, _LEGAL),
    "EXT-FR-FE-85": _in(_AGENT, _CONTACT),
    "EXT-FR-FE-136": _in(
        _LINE,
        (
            "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID",
            "ram:SpecifiedLineTradeSettlement/ram:InvoiceReferencedDocument/ram:IssuerAssignedID",
        ),
    ),
    "EXT-FR-FE-146": _in(
        _LINE,
        (
            "cac:Delivery/cac:DeliveryLocation/cbc:ID",
            "ram:SpecifiedLineTradeDelivery/ram:ShipToTradeParty/ram:ID",
        ),
    ),
    "EXT-FR-FE-BG-03": _AGENT,
}
"""Where a term or group of the invoice stands: in UBL, in CII."""

Change = Callable[[etree._Element, int], None]
"""What is done to the root of a document; 0: it is UBL, 1: it is CII."""


def document(kind: str, changes: Iterable[Change] = ()) -> ParsedXml:
    """A copy of the document of this kind, changed, and read by the gateway's parser."""
    root = copy.deepcopy(etree.fromstring(DOCUMENTS[kind]))
    for change in changes:
        change(root, int(kind.startswith("cii")))
    limits = DocumentLimits(max_elements=20_000_000)
    parsed = parse(etree.tostring(root, encoding="utf-8", xml_declaration=True), limits)
    assert isinstance(parsed, ParsedXml), parsed
    return parsed


def place(root: etree._Element, syntax: int, name: str) -> etree._Element:
    """The one element at a place."""
    (element,) = root.xpath(PLACES[name][syntax], namespaces=NAMESPACES)
    return element


def write(name: str, text: str) -> Change:
    """Put a text there. In UBL a note keeps its subject."""

    def change(root: etree._Element, syntax: int) -> None:
        subject = "#AAI#" if name == "BT-22" and syntax == 0 else ""
        place(root, syntax, name).text = subject + text

    return change


def mark(name: str, attribute: str, value: str) -> Change:
    """Give the element there an attribute."""
    return lambda root, syntax: place(root, syntax, name).set(attribute, value)


def scheme(name: str, value: str) -> Change:
    """Make the identifier there one of another scheme."""
    return mark(name, "schemeID", value)


def drop(name: str) -> Change:
    """Take the element there out; of an identifier in UBL, what holds nothing but it."""

    def change(root: etree._Element, syntax: int) -> None:
        element = place(root, syntax, name)
        parent = element.getparent()
        while parent is not None and len(parent) == 1:
            element, parent = parent, parent.getparent()
        assert parent is not None
        parent.remove(element)

    return change


def twice(name: str) -> Change:
    """Put a second one beside the element there."""

    def change(root: etree._Element, syntax: int) -> None:
        element = place(root, syntax, name)
        element.addnext(copy.deepcopy(element))

    return change


def beside(name: str, xml: str) -> Change:
    """Put an element, written as XML, after the one there."""
    return lambda root, syntax: place(root, syntax, name).addnext(_element(xml))


def before(name: str, xml: str) -> Change:
    """Put an element, written as XML, before the one there."""
    return lambda root, syntax: place(root, syntax, name).addprevious(_element(xml))


def _element(xml: str) -> etree._Element:
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    (element,) = etree.fromstring(f"<x {declared}>{xml}</x>")
    return element


def lines(count: int) -> Change:
    """So many empty lines in place of the one there."""

    def change(root: etree._Element, syntax: int) -> None:
        line = place(root, syntax, "BG-25")
        parent = line.getparent()
        assert parent is not None
        at = parent.index(line)
        parent[at : at + 1] = [etree.Element(line.tag) for _ in range(count)]

    return change
