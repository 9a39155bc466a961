"""Where each value of a lifecycle message stands in its XML: the one table of writer and reader.

For every struct of `values` its elements in the order of the schema. A path of several steps
shares its first elements with the slot before it: a group of the schema that `values` does without.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from gateway.core.cdar.values import (
    Acknowledgement,
    Characteristic,
    Detail,
    DocumentStatus,
    Message,
    Party,
)

_UNECE: Final = "urn:un:unece:uncefact:data:standard:"
NAMESPACES: Final = {
    "rsm": f"{_UNECE}CrossDomainAcknowledgementAndResponse:100",
    "ram": f"{_UNECE}ReusableAggregateBusinessInformationEntity:100",
    "udt": f"{_UNECE}UnqualifiedDataType:100",
    "qdt": f"{_UNECE}QualifiedDataType:100",
}


class Kind(StrEnum):
    """How a value is written."""

    TEXT = "text"
    IDENTIFIER = "identifier"
    INDICATOR = "indicator"
    DATE_TIME = "date-time"
    """Format 204; with a time zone, of which 204 has none, as xsd:dateTime."""
    DATE = "date"
    """Format 102."""
    NUMBER = "number"
    AMOUNT = "amount"
    FILE = "file"
    GROUP = "group"
    """A struct with a table of its own."""


class Slot(msgspec.Struct, frozen=True):
    """One field: the elements that lead to it, how it is written, and whether it is a tuple.

    `strings`: prefix of the namespace of udt:DateTimeString or qdt:DateTimeString.
    """

    field: str
    path: tuple[str, ...]
    kind: Kind = Kind.TEXT
    struct: type[msgspec.Struct] | None = None
    many: bool = False
    strings: str = "udt"


def qualified(name: str) -> str:
    """`ram:ID` in Clark notation."""
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def _slot(
    field: str,
    path: str,
    kind: Kind = Kind.TEXT,
    struct: type[msgspec.Struct] | None = None,
    *,
    many: bool = False,
    strings: str = "udt",
) -> Slot:
    steps = tuple(qualified(step) for step in path.split("/"))
    return Slot(field, steps, Kind.GROUP if struct else kind, struct, many, strings)


ROOT: Final = qualified("rsm:CrossDomainAcknowledgementAndResponse")

_CONTEXT: Final = "rsm:ExchangedDocumentContext"
_DOCUMENT: Final = "rsm:ExchangedDocument"

LAYOUT: Final[dict[type[msgspec.Struct], tuple[Slot, ...]]] = {
    Message: (
        _slot("process", f"{_CONTEXT}/ram:BusinessProcessSpecifiedDocumentContextParameter/ram:ID"),
        _slot("guideline", f"{_CONTEXT}/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID"),
        _slot("id", f"{_DOCUMENT}/ram:ID"),
        _slot("name", f"{_DOCUMENT}/ram:Name"),
        _slot("issued", f"{_DOCUMENT}/ram:IssueDateTime", Kind.DATE_TIME),
        _slot("sender", f"{_DOCUMENT}/ram:SenderTradeParty", struct=Party),
        _slot("issuer", f"{_DOCUMENT}/ram:IssuerTradeParty", struct=Party),
        _slot("recipients", f"{_DOCUMENT}/ram:RecipientTradeParty", struct=Party, many=True),
        _slot("acknowledgements", "rsm:AcknowledgementDocument", struct=Acknowledgement, many=True),
    ),
    Party: (
        _slot("ids", "ram:GlobalID", Kind.IDENTIFIER, many=True),
        _slot("name", "ram:Name"),
        _slot("role", "ram:RoleCode"),
        _slot("address", "ram:URIUniversalCommunication/ram:URIID", Kind.IDENTIFIER),
    ),
    Acknowledgement: (
        _slot("several", "ram:MultipleReferencesIndicator", Kind.INDICATOR),
        _slot("type_code", "ram:TypeCode"),
        _slot("name", "ram:Name"),
        _slot("issued", "ram:IssueDateTime", Kind.DATE_TIME),
        _slot("status_code", "ram:StatusCode"),
        _slot("documents", "ram:ReferenceReferencedDocument", struct=DocumentStatus, many=True),
    ),
    DocumentStatus: (
        _slot("number", "ram:IssuerAssignedID"),
        _slot("status_code", "ram:StatusCode"),
        _slot("type_code", "ram:TypeCode"),
        _slot("received", "ram:ReceiptDateTime", Kind.DATE_TIME),
        _slot("attachments", "ram:AttachmentBinaryObject", Kind.FILE, many=True),
        _slot("reference_type", "ram:ReferenceTypeCode"),
        _slot("issued", "ram:FormattedIssueDateTime", Kind.DATE, strings="qdt"),
        _slot("status", "ram:ProcessConditionCode"),
        _slot("status_text", "ram:ProcessCondition"),
        _slot("issuer", "ram:IssuerTradeParty", struct=Party),
        _slot("recipients", "ram:RecipientTradeParty", struct=Party, many=True),
        _slot("details", "ram:SpecifiedDocumentStatus", struct=Detail, many=True),
    ),
    Detail: (
        _slot("when", "ram:ReferenceDateTime", Kind.DATE_TIME),
        _slot("reason", "ram:ReasonCode"),
        _slot("reason_text", "ram:Reason"),
        _slot("condition", "ram:ProcessConditionCode"),
        _slot("condition_text", "ram:ProcessCondition"),
        _slot("action", "ram:RequestedActionCode"),
        _slot("action_text", "ram:RequestedAction"),
        _slot("sequence", "ram:SequenceNumeric", Kind.NUMBER),
        _slot("notes", "ram:IncludedNote/ram:Content", many=True),
        _slot(
            "characteristics",
            "ram:SpecifiedDocumentCharacteristic",
            struct=Characteristic,
            many=True,
        ),
    ),
    Characteristic: (
        _slot("id", "ram:ID"),
        _slot("type", "ram:TypeCode"),
        _slot("changed", "ram:ValueChangedIndicator", Kind.INDICATOR),
        _slot("name", "ram:Name"),
        _slot("description", "ram:Description"),
        _slot("location", "ram:Location"),
        _slot("value", "ram:Value"),
        _slot("amount", "ram:ValueAmount", Kind.AMOUNT),
        _slot("date", "ram:ValueDateTime", Kind.DATE),
        _slot("percent", "ram:ValuePercent", Kind.NUMBER),
    ),
}
"""Struct → its slots. `Attachment`, `Amount` and `Identifier` are kinds of their own."""
