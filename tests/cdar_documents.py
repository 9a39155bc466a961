"""Lifecycle messages (CDAR D22B) for tests: what a platform or a buyer says of an invoice."""

from __future__ import annotations

from lxml import etree
from lxml.builder import ElementMaker

_UNECE = "urn:un:unece:uncefact:data:standard:"
RSM = f"{_UNECE}CrossDomainAcknowledgementAndResponse:100"
NAMESPACES = {
    "rsm": RSM,
    "ram": f"{_UNECE}ReusableAggregateBusinessInformationEntity:100",
    "udt": f"{_UNECE}UnqualifiedDataType:100",
    "qdt": f"{_UNECE}QualifiedDataType:100",
}
ROOT = f"{{{RSM}}}CrossDomainAcknowledgementAndResponse"

_rsm, _ram, _udt, _qdt = (
    ElementMaker(namespace=uri, nsmap=NAMESPACES) for uri in NAMESPACES.values()
)


def status(code: str = "213", reason: str | None = "DOUBLON", *, phase: str = "305") -> bytes:
    """The message that gives an invoice this status, transmitted (305) or processed (23)."""
    transmitted = phase == "305"
    root = _rsm.CrossDomainAcknowledgementAndResponse(
        _rsm.ExchangedDocumentContext(
            _ram.BusinessProcessSpecifiedDocumentContextParameter(_ram.ID("REGULATED")),
            _ram.GuidelineSpecifiedDocumentContextParameter(
                _ram.ID("urn.cpro.gouv.fr:1p0:CDV:invoice")
            ),
        ),
        _rsm.ExchangedDocument(
            _ram.ID("CDV-2026-0001"),
            _ram.IssueDateTime(_udt.DateTimeString("20261002091500", format="204")),
            _ram.SenderTradeParty(_ram.RoleCode("WK")),
            _issuer(transmitted=transmitted),
            _ram.RecipientTradeParty(
                _ram.GlobalID("000123455", schemeID="0002"),
                _ram.RoleCode("SE"),
                _ram.URIUniversalCommunication(_ram.URIID("000123455", schemeID="0225")),
            ),
        ),
        _rsm.AcknowledgementDocument(
            _ram.MultipleReferencesIndicator(_udt.Indicator("false")),
            _ram.TypeCode(phase),
            _ram.IssueDateTime(_udt.DateTimeString("20261002091500", format="204")),
            _ram.StatusCode("8" if transmitted else "1"),
            _invoice(code, reason),
        ),
    )
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _issuer(*, transmitted: bool) -> etree._Element:
    if transmitted:
        return _ram.IssuerTradeParty(_ram.RoleCode("WK"))
    return _ram.IssuerTradeParty(_ram.GlobalID("000471102", schemeID="0002"), _ram.RoleCode("BY"))


def _invoice(code: str, reason: str | None) -> etree._Element:
    document = _ram.ReferenceReferencedDocument(
        _ram.IssuerAssignedID("FA-2026-00187"),
        _ram.TypeCode("380"),
        _ram.FormattedIssueDateTime(_qdt.DateTimeString("20260312", format="102")),
        _ram.ProcessConditionCode(code),
        _ram.IssuerTradeParty(_ram.GlobalID("000123455", schemeID="0002"), _ram.RoleCode("SE")),
    )
    if reason is not None:
        detail = (_ram.ReasonCode(reason), _ram.RequestedActionCode("NIN"))
        document.append(_ram.SpecifiedDocumentStatus(*detail, _ram.SequenceNumeric("1")))
    return document
