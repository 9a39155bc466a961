"""The invoices of a request: number, date, seller, reasons, values, attached files."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.core.cdar.reasons import reasons
from gateway.core.cdar.request import DetailAsked, InvoiceAsked, StatusRequest, ValueAsked
from gateway.core.cdar.request_faults import Complaints
from gateway.core.cdar.statuses import (
    ACTIONS,
    CHARACTERISTICS,
    RECEIVED_AMOUNT,
    RECEIVED_PAYMENT,
    Role,
    Status,
)
from gateway.core.cdar.values import (
    Amount,
    Attachment,
    Characteristic,
    Detail,
    DocumentStatus,
    Identifier,
    Party,
)
from gateway.model.verdict import Language

DOCUMENT_TYPES: Final = frozenset(
    {
        *("261", "262", "380", "381", "384", "386", "389", "393"),
        *("396", "471", "472", "473", "500", "501", "502", "503"),
    }
)
"""BT-3 as the French reform knows it (BR-FR-04)."""


class InvoiceComposer:
    """Makes `DocumentStatus` of what is asked; what is wrong goes on the list."""

    def __init__(self, request: StatusRequest, status: Status, complaints: Complaints) -> None:
        self._status = status
        self._portal = request.to == "portal"
        self._language = Language(request.language)
        self._complaints = complaints
        self._no = complaints.add

    def document(self, key: str, asked: InvoiceAsked) -> DocumentStatus:
        """The status of one invoice, as far as it can be read."""
        flux, code = self._status.of_flux, self._status.code
        if not asked.number.strip():
            self._no(f"{key}.number", "It must say something.", "Write the number (BT-1).")
        if not asked.issued and code != "501":
            what = "An invoice is known by its number, its seller and its date (MDG-35)."
            if flux:
                what = "Only a flux that is refused (501) has no date (MDG-35)."
            self._no(f"{key}.issued", what, "Add the day: issued = 2026-03-12")
        if not asked.seller and not flux:
            what = "It is not said whose invoice this is (MDT-129)."
            self._no(f"{key}.seller", what, 'Add seller = "…", its SIREN.')
        if asked.type and asked.type not in DOCUMENT_TYPES:
            known = ", ".join(sorted(DOCUMENT_TYPES))
            self._no(f"{key}.type", f'There is no type "{asked.type}" (BT-3).', f"Known: {known}.")
        if self._portal and not asked.received:
            what = "The portal wants to know when the platform received it (MDT-95)."
            self._no(f"{key}.received", what, "Add: received = 2026-03-12T09:15:00")
        details = tuple(
            self._detail(f"{key}.details[{index}]", detail)
            for index, detail in enumerate(asked.details)
        )
        self._complete(key, details)
        issuer = None
        if asked.seller:
            seller = Identifier(asked.seller, asked.seller_scheme)
            issuer = Party(role=Role.SELLER, ids=(seller,))
        return DocumentStatus(
            number=asked.number.strip() or None,
            type_code=asked.type or None,
            issued=self._complaints.day(f"{key}.issued", asked.issued),
            received=self._complaints.time(f"{key}.received", asked.received),
            issuer=issuer,
            details=details,
            attachments=tuple(self._attachments(key, asked)),
        )

    def _complete(self, key: str, details: Sequence[Detail]) -> None:
        """What a status cannot be without."""
        status = self._status
        if status.reason_needed and not any(detail.reason for detail in details):
            self._no(
                f"{key}.details",
                f"{status.code} {status.name} says nothing without a reason (MDT-113).",
                f"Add a table [[invoices.details]] with reason = one of"
                f" {', '.join(status.reasons)}.",
            )
        received = [
            value
            for detail in details
            for value in detail.characteristics
            if value.type == RECEIVED_AMOUNT
        ]
        if status is RECEIVED_PAYMENT and not received:
            self._no(
                f"{key}.details",
                "A payment received (212) says how much, at which rate of VAT (MDT-207).",
                'Add a table [[invoices.details.values]] with type = "MEN", amount and percent'
                " for each rate.",
            )

    def _detail(self, key: str, asked: DetailAsked) -> Detail:
        status = self._status
        if asked.reason and asked.reason not in status.reasons:
            self._no(
                f"{key}.reason",
                f'"{asked.reason}" is no reason for {status.code} {status.name}.',
                f"Reasons are: {', '.join(status.reasons)}.",
            )
        if asked.action and asked.action not in ACTIONS:
            what = f'There is no action "{asked.action}" (MDT-121).'
            self._no(f"{key}.action", what, f"Actions are: {', '.join(ACTIONS)}.")
        named = reasons().codes.get(asked.reason)
        label = named.to(self._language) if named else None
        return Detail(
            reason=asked.reason or None,
            reason_text=asked.text or label,
            action=asked.action or None,
            action_text=asked.action_text or None,
            notes=(asked.note,) if asked.note else (),
            characteristics=tuple(
                self._value(f"{key}.values[{index}]", value)
                for index, value in enumerate(asked.values)
            ),
        )

    def _value(self, key: str, asked: ValueAsked) -> Characteristic:
        if asked.type not in CHARACTERISTICS:
            what = f'There is no type "{asked.type}" (MDT-207).'
            self._no(f"{key}.type", what, f"Types are: {', '.join(CHARACTERISTICS)}.")
        if asked.type == RECEIVED_AMOUNT:
            for name, given in (("amount", asked.amount), ("percent", asked.percent)):
                if not given:
                    what = "A payment received says how much, at which rate of VAT."
                    self._no(f"{key}.{name}", what, f"Add {name}.")
        amount = self._complaints.number(f"{key}.amount", asked.amount)
        return Characteristic(
            type=asked.type,
            name=asked.name or None,
            location=asked.location or None,
            value=asked.value or None,
            amount=None if amount is None else Amount(amount, asked.currency),
            date=self._complaints.day(f"{key}.date", asked.date),
            percent=self._complaints.number(f"{key}.percent", asked.percent),
        )

    def _attachments(self, key: str, asked: InvoiceAsked) -> Iterator[Attachment]:
        for index, each in enumerate(asked.attachments):
            try:
                content = base64.b64decode("".join(each.content.split()), validate=True)
            except (binascii.Error, ValueError):
                what = "This is not base64."
                self._no(f"{key}.attachments[{index}].content", what, "Encode the file's bytes.")
                continue
            yield Attachment(content=content, filename=each.filename, mime_code=each.mime_code)
