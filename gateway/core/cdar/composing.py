"""From a request to the message: everything that is wrong is told at once, each with its key.

What the French rules say of statuses, roles and reasons is looked at here, in words about the
request; whether the message is valid, schema and Schematron say afterwards (`checking`).
"""

from __future__ import annotations

import datetime as dt
import re
import uuid

import msgspec

from gateway.core.cdar.composing_invoices import InvoiceComposer
from gateway.core.cdar.request import PartyAsked, StatusRequest
from gateway.core.cdar.request_faults import Complaints, Wrong
from gateway.core.cdar.sending import Sending, assembled
from gateway.core.cdar.statuses import PARTIES, STATUSES, Role, Status
from gateway.core.cdar.values import Identifier, Message, Party
from gateway.model.legal import LegalIdentity
from gateway.model.publication import NAMESPACE


def compose(request: StatusRequest, we: LegalIdentity, now: dt.datetime) -> Message | list[Wrong]:
    """The message that is asked for, or everything that keeps it from being made.

    `now` is when the status is given if the request does not say. Without an id the message has
    one that follows from request and time.
    """
    status = STATUSES.get(request.status)
    if status is None:
        known = ", ".join(STATUSES)
        return [Wrong("status", f'There is no status "{request.status}".', f"There are: {known}.")]
    return _Composer(request, status, we).message(now)


class _Composer:
    def __init__(self, request: StatusRequest, status: Status, we: LegalIdentity) -> None:
        self._request = request
        self._status = status
        self._we = we
        self._portal = request.to == "portal"
        self._complaints = Complaints()
        self._no = self._complaints.add

    def message(self, now: dt.datetime) -> Message | list[Wrong]:
        """The message, or what is wrong."""
        request = self._request
        at = self._complaints.time("at", request.at) if request.at else now
        self._ourselves()
        issuer = self._issuer()
        recipients = self._recipients()
        if not request.invoices:
            self._no("invoices", "A status is of something.", "Add a table [[invoices]].")
        composer = InvoiceComposer(request, self._status, self._complaints)
        documents = [
            composer.document(f"invoices[{index}]", invoice)
            for index, invoice in enumerate(request.invoices)
        ]
        if self._complaints.wrong or at is None:
            return self._complaints.wrong
        sending = Sending(
            id=request.id or _id_of(request, at),
            at=at,
            we=self._we,
            recipients=recipients,
            issuer=issuer,
        )
        return assembled(self._status, documents, sending)

    def _ourselves(self) -> None:
        if self._status.by_platform and self._we.role != Role.PLATFORM.value:
            self._no(
                "status",
                f"{self._status.code} is given by platforms (WK), and legal.role of the settings"
                f' is "{self._we.role}".',
                'Leave this status to your platform; or, if you are one, set legal.role = "WK".',
            )
        if self._portal and not self._we.id:
            self._no(
                "to",
                "The portal wants to know who sends (MDT-19), and legal.id of the settings is"
                " empty.",
                "Write our number as a platform there.",
            )

    def _issuer(self) -> Party | None:
        asked = self._request.issuer
        status = self._status
        if status.by_platform:
            if asked is not None:
                what = f"{status.code} {status.name} is given by the platform itself."
                self._no("issuer", what, "Leave the table [issuer] out.")
            return None
        if asked is None:
            what = f"{status.code} {status.name} is given by a party of the invoice: by whom?"
            self._no("issuer", what, "Add a table [issuer] with its siren.")
            return None
        issuer = self._party("issuer", asked, status.by)
        if issuer.role not in PARTIES:
            self._no(
                "issuer.role",
                f'"{asked.role}" gives no status of an invoice\'s processing.',
                f"Write one of {', '.join(sorted(PARTIES))}: SE is the seller, BY the buyer.",
            )
        if not issuer.ids:
            self._no(
                "issuer.siren",
                "Who gives the status is not identified (MDT-38).",
                'Add siren = "…", or id and scheme.',
            )
        return issuer

    def _recipients(self) -> tuple[Party, ...]:
        asked = self._request.recipients
        if self._portal:
            if asked:
                what = "A message to the portal goes to nobody else."
                self._no("recipients", what, 'Leave them out, or ask twice: once with to = "…".')
            return ()
        if not asked:
            self._no(
                "recipients",
                "Nobody is named to whom the message goes.",
                'Add a table [[recipients]], or write to = "portal".',
            )
        return tuple(
            self._recipient(f"recipients[{index}]", party) for index, party in enumerate(asked)
        )

    def _recipient(self, key: str, asked: PartyAsked) -> Party:
        party = self._party(key, asked, Role.SELLER)
        if party.role not in set(Role):
            known = ", ".join(sorted(Role))
            self._no(f"{key}.role", f'There is no role "{asked.role}".', f"Write one of {known}.")
        elif party.address is None and party.role not in (Role.PLATFORM, Role.PORTAL):
            self._no(
                f"{key}.address",
                "A recipient that is no platform has an electronic address (MDT-73).",
                "Add the one the directory names, without its scheme, which is 0225 as a rule.",
            )
        return party

    def _party(self, key: str, asked: PartyAsked, role: Role) -> Party:
        if asked.siren and asked.id:
            self._no(f"{key}.id", "siren is given as well.", "Leave one of the two out.")
        if asked.siren and not re.fullmatch("[0-9]{9}", asked.siren):
            what = f'"{asked.siren}" is no SIREN.'
            self._no(f"{key}.siren", what, "Write its 9 digits, or id and scheme instead.")
        if asked.id and not asked.scheme:
            what = "Of which list is this identifier?"
            self._no(f"{key}.scheme", what, 'Add scheme = "0009" for a SIRET, "0223" for VAT.')
        ids: tuple[Identifier, ...] = ()
        if asked.siren or asked.id:
            ids = (Identifier(asked.siren or asked.id, "0002" if asked.siren else asked.scheme),)
        return Party(
            role=asked.role or role.value,
            ids=ids,
            name=asked.name or None,
            address=Identifier(asked.address, asked.address_scheme) if asked.address else None,
        )


def _id_of(request: StatusRequest, at: dt.datetime) -> str:
    """Another id for another request or another time, the same for the same (RFC 9562 §5.5)."""
    asked = msgspec.json.encode(request).decode()
    return str(uuid.uuid5(NAMESPACE, f"cdar/{at.isoformat()}/{asked}"))
