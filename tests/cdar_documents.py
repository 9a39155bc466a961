"""Lifecycle messages (CDAR D22B) for tests: what a platform or a buyer says of an invoice."""

from __future__ import annotations

import datetime as dt
import functools
from decimal import Decimal

from lxml import etree
from lxml.builder import ElementMaker

from gateway.core.cdar.checking import PACK, MessageCheck
from gateway.core.cdar.message_writer import write
from gateway.core.cdar.sending import Sending
from gateway.core.cdar.statuses import RECEIVED_PAYMENT, Role, Status
from gateway.core.cdar.values import (
    Amount,
    Characteristic,
    Detail,
    DocumentStatus,
    Identifier,
    Message,
    Party,
)
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.runner import RulePacks
from gateway.model.legal import LegalIdentity
from gateway.model.verdict import Finding
from tests.official_packs import official

_UNECE = "urn:un:unece:uncefact:data:standard:"
RSM = f"{_UNECE}CrossDomainAcknowledgementAndResponse:100"
NAMESPACES = {
    "rsm": RSM,
    "ram": f"{_UNECE}ReusableAggregateBusinessInformationEntity:100",
    "udt": f"{_UNECE}UnqualifiedDataType:100",
    "qdt": f"{_UNECE}QualifiedDataType:100",
}
ROOT = f"{{{RSM}}}CrossDomainAcknowledgementAndResponse"

DAY = dt.date(2026, 10, 2)
AT = dt.datetime(2026, 10, 2, 7, 15, tzinfo=dt.UTC)
WE = LegalIdentity(name="Passerelle", id="0003", application="AAA123")
BUYER = Party(role=Role.BUYER, ids=(Identifier("000471102", "0002"),), name="Acheteur SA")
SELLER = Party(role=Role.SELLER, ids=(Identifier("000123455", "0002"),), name="Vendeur SA")

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


@functools.cache
def check() -> MessageCheck:
    """The official schema and rules; a test is skipped where the wheel was not imported."""
    official(PACK)
    catalogue = Catalogue.load()
    return MessageCheck(catalogue, RulePacks(catalogue))


def objections(message: Message) -> tuple[Finding, ...]:
    """What schema and rules have against the message as it would be sent."""
    return check().findings(write(message), DAY)


def addressed(party: Party) -> Party:
    """The party with the electronic address that its SIREN makes."""
    return Party(
        role=party.role,
        ids=party.ids,
        name=party.name,
        address=Identifier(party.ids[0].value, "0225"),
    )


def sending(status: Status, *, portal: bool = False, we: LegalIdentity = WE) -> Sending:
    """A message of this status to the seller (of one the seller gives, to the buyer) or portal."""
    by_seller = status.by is Role.SELLER
    return Sending(
        id="CDV-2026-0001",
        at=AT,
        we=we,
        recipients=() if portal else (addressed(BUYER if by_seller else SELLER),),
        issuer=None if status.by_platform else (SELLER if by_seller else BUYER),
    )


def invoice(
    status: Status, number: str = "FA-2026-00187", reason: str | None = None
) -> DocumentStatus:
    """An invoice, or a flux, with as little as the status needs; a reason if one is named."""
    reason = reason or (status.reasons[0] if status.reason_needed else None)
    values: tuple[Characteristic, ...] = ()
    if status is RECEIVED_PAYMENT:
        received = Amount(Decimal("1200.00"), "EUR")
        values = (Characteristic(type="MEN", amount=received, percent=Decimal("20")),)
    details = (Detail(reason=reason, characteristics=values),) if reason or values else ()
    if status.of_flux:
        issued = None if status.code == "501" else DAY
        return DocumentStatus(number=number, issued=issued, received=AT, details=details)
    return DocumentStatus(
        number=number,
        type_code="380",
        issued=dt.date(2026, 9, 12),
        received=AT,
        issuer=Party(role=Role.SELLER, ids=SELLER.ids),
        details=details,
    )
