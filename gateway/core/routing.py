"""Which document this is, and which one flow it takes.

`identify` reads what the document says about itself, `route` compares it with what the flows
match, `chain_for` picks the checks. The vocabulary is closed (model.flow), so `overlaps` can
decide before any document arrives whether two flows could ever take the same one.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Iterable, Sequence
from typing import Final, cast

import msgspec
from lxml import etree

from gateway.core.cdar.layout import NAMESPACES as CDAR_NAMESPACES
from gateway.core.cdar.layout import ROOT as STATUS_ROOT
from gateway.core.explain import own_finding
from gateway.core.xml import ParsedXml, friendly_path, locate
from gateway.model.flow import Chain, Flow, profile_fits
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

_MINIMUM: Final = "urn:factur-x.eu:1p0:minimum"
"""A profile that some flows can never take: its senders need more than the list of the others."""

_PROFILE_ELEMENT: Final = {
    Syntax.UBL: "cbc:CustomizationID",
    Syntax.CII: "ram:GuidelineSpecifiedDocumentContextParameter/ram:ID",
    Syntax.CDAR: "ram:GuidelineSpecifiedDocumentContextParameter/ram:ID",
}


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


def route(
    facts: DocumentFacts,
    *,
    partner: str | None,
    partner_flows: Sequence[str] | None,
    interface_code: str | None,
    flows: Iterable[Flow],
) -> Flow | Finding:
    """The one flow for this document, or the finding that says why there is not exactly one.

    `partner` None: nobody in particular (the command line); then only flows that name partners
    are out of reach. `partner_flows` None: every flow that need not be named.
    """
    allowed = [flow for flow in flows if _allowed(flow, partner_flows)]
    otherwise = [flow for flow in allowed if _fits(flow, facts, partner, interface_code)]
    fitting = [flow for flow in otherwise if _profile_fits(flow.match.profiles, facts.profile)]
    if len(fitting) == 1:
        return fitting[0]
    names = tuple(flow.name for flow in (fitting or allowed))
    if fitting:
        return own_finding("ROUTE-AMBIGUOUS", flows=names, document=_described(facts))
    if otherwise:
        return _profile_finding(facts, [p for flow in otherwise for p in flow.match.profiles])
    return own_finding(
        "ROUTE-NO-FLOW",
        partner=partner or "—",
        flows=names or ("—",),
        document=_described(facts, interface_code),
    )


def chain_for(flow: Flow, facts: DocumentFacts, *, pdf: bool = False) -> Chain | Finding:
    """The first chain of the flow whose syntax and profiles fit the document.

    `pdf`: the document came inside a PDF, which only the chains made for that judge.
    """
    chains = [chain for chain in flow.chain if chain.syntax is facts.syntax]
    if not chains:
        return own_finding("ROUTE-NO-CHAIN", flow=flow.name, syntax=facts.syntax.value.upper())
    open_to_it = [chain for chain in chains if chain.pdf is pdf]
    fitting = [chain for chain in chains if _profile_fits(chain.profiles, facts.profile)]
    for chain in fitting:
        if chain.pdf is pdf:
            return chain
    known = tuple(profile for chain in open_to_it for profile in chain.profiles)
    if pdf and not open_to_it:
        return own_finding("PDF-UNWANTED", flow=flow.name)
    if not pdf and (fitting or not open_to_it):
        return own_finding(
            "PDF-ONLY",
            terms=("BT-24",),
            profile=facts.profile or "—",
            flow=flow.name,
            known=known or "—",
        )
    return _profile_finding(facts, known)


def placed(finding: Finding, parsed: ParsedXml, facts: DocumentFacts) -> Finding:
    """The finding with its place when it is about BT-24: there, or at the root without one."""
    if "BT-24" not in finding.terms:
        return finding
    element = _first(parsed.root, _PATHS[facts.syntax]["profile"])
    element = parsed.root if element is None else element
    place = locate(parsed, element)
    return msgspec.structs.replace(
        finding,
        location=friendly_path(element),
        line=place.line,
        column=place.column,
        excerpt=place.excerpt,
    )


def overlaps(flow_a: Flow, flow_b: Flow, partner: str) -> str | None:
    """A document of `partner` that both flows would match, described; None when there is none."""
    one, other = flow_a.match, flow_b.match
    for match in (one, other):
        if match.partners and partner not in match.partners:
            return None
    syntaxes = one.syntaxes, other.syntaxes
    if any(syntaxes):
        syntaxes = one.taken_syntaxes, other.taken_syntaxes
    described: list[str] = []
    for ours, theirs, otherwise in (
        (*syntaxes, ""),
        (one.document_types, other.document_types, "document"),
        (one.interface_codes, other.interface_codes, ""),
    ):
        common = _common(ours, theirs)
        if common is None:
            return None
        described.append(common or otherwise)
    profile = _common_profile(one.profiles, other.profiles)
    if profile is None:
        return None
    syntax, document_type, code = described
    text = f"{syntax.upper()} {document_type}".strip()
    text += f" with BT-24 {profile!r}" if profile else " of any profile"
    return text + (f" in a file named {code}_…" if code else "")


def _allowed(flow: Flow, partner_flows: Sequence[str] | None) -> bool:
    return not flow.match.by_name if partner_flows is None else flow.name in partner_flows


def _fits(
    flow: Flow, facts: DocumentFacts, partner: str | None, interface_code: str | None
) -> bool:
    """Whether every criterion but the profile holds."""
    match = flow.match
    return (
        (not match.partners or partner in match.partners)
        and (not match.interface_codes or interface_code in match.interface_codes)
        and facts.syntax in match.taken_syntaxes
        and (not match.document_types or facts.document_type in match.document_types)
    )


def _profile_fits(patterns: Sequence[str], profile: str | None) -> bool:
    if not patterns:
        return True
    return profile is not None and any(profile_fits(pattern, profile) for pattern in patterns)


def _profile_finding(facts: DocumentFacts, known: Iterable[str]) -> Finding:
    names = tuple(dict.fromkeys(known))
    element = _PROFILE_ELEMENT[facts.syntax]
    if not facts.profile:
        return own_finding("ROUTE-NO-PROFILE", terms=("BT-24",), known=names, element=element)
    return own_finding(
        "ROUTE-UNKNOWN-PROFILE",
        variant="minimum" if facts.profile == _MINIMUM else None,
        terms=("BT-24",),
        profile=facts.profile,
        known=names,
        element=element,
    )


def _described(facts: DocumentFacts, interface_code: str | None = None) -> str:
    text = f"{facts.syntax.value.upper()} {facts.document_type.value}, BT-24 {facts.profile or '—'}"
    return f"{text}, {interface_code}" if interface_code else text


def _common(ours: Sequence[str], theirs: Sequence[str]) -> str | None:
    """A value both allow; "" for any value; None when there is none. Empty allows everything."""
    if not ours or not theirs:
        return str(next(iter(ours or theirs), ""))
    return next((str(value) for value in ours if value in theirs), None)


def _common_profile(ours: Sequence[str], theirs: Sequence[str]) -> str | None:
    """As `_common`, for patterns: two prefixes meet when one begins the other."""
    if not ours or not theirs:
        return next(iter(ours or theirs), "")
    for one in ours:
        for other in theirs:
            if one.endswith("*") and other.startswith(one[:-1]):
                return other
            if other.endswith("*") and one.startswith(other[:-1]):
                return one
            if one == other:
                return one
    return None


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
