"""Which invoices, or which file, a request for a status speaks of. Reads the journal."""

from __future__ import annotations

import datetime as dt

import msgspec
from sqlalchemy import Connection

from gateway.core.cdar.request import InvoiceAsked, StatusRequest
from gateway.core.cdar.statuses import STATUSES
from gateway.core.cdar.values import DocumentStatus, Message
from gateway.core.explain import own_finding
from gateway.core.uniqueness import seller_key
from gateway.model.verdict import Finding
from gateway.service.journal import records, request_records, status_records
from gateway.service.journal.status_records import Invoice


class About(msgspec.Struct, frozen=True):
    """What one status of a message is about: an accepted invoice, or (500, 501) a whole file."""

    interchange_id: str
    ordinal: int
    partner: str
    invoice: Invoice | None = None


def with_receipts(conn: Connection, asked: StatusRequest) -> StatusRequest:
    """The request with the time we received each invoice, which the portal wants (MDT-95)."""
    if asked.to != "portal":
        return asked
    invoices = tuple(
        each if each.received else msgspec.structs.replace(each, received=_received(conn, each))
        for each in asked.invoices
    )
    return msgspec.structs.replace(asked, invoices=invoices)


def _received(conn: Connection, asked: InvoiceAsked) -> str:
    try:
        issued = dt.date.fromisoformat(asked.issued)
    except ValueError:
        return ""  # composing tells what is wrong with it
    seller = seller_key(asked.seller)
    invoice = seller and status_records.find_invoice(conn, seller, asked.number.strip(), issued)
    row = records.interchange(conn, invoice.interchange_id) if invoice else None
    return row.received_at.isoformat() if row is not None else ""


def find(conn: Connection, message: Message) -> tuple[About, ...] | list[Finding]:
    """What each status is about, in order, all of one partner; or what cannot be found."""
    found: list[About] = []
    faults: list[Finding] = []
    for document in message.documents:
        of_flux = STATUSES[document.status or ""].of_flux
        one = _file(conn, document) if of_flux else _invoice(conn, document)
        if isinstance(one, Finding):
            faults.append(one)
        elif one in found:
            faults.append(own_finding("REQUEST-TWICE", number=document.number))
        else:
            found.append(one)
    partners = {each.partner for each in found}
    if not faults and len(partners) > 1:
        faults.append(own_finding("REQUEST-PARTNERS", partners=sorted(partners)))
    return faults or tuple(found)


def _invoice(conn: Connection, document: DocumentStatus) -> About | Finding:
    seller = document.issuer.ids[0].value if document.issuer and document.issuer.ids else ""
    key = seller_key(seller)
    number = document.number or ""
    if key is not None and document.issued is not None:
        invoice = status_records.find_invoice(conn, key, number, document.issued)
        if invoice is not None:
            return About(invoice.interchange_id, invoice.ordinal, invoice.partner, invoice)
    issued = document.issued.isoformat() if document.issued else "—"
    return own_finding("REQUEST-UNKNOWN", number=number, issued=issued, seller=seller)


def _file(conn: Connection, document: DocumentStatus) -> About | Finding:
    name = document.number or ""
    called = request_records.interchanges_called(conn, name)
    row = records.interchange(conn, called[0]) if len(called) == 1 else None
    if row is None:
        return own_finding("REQUEST-FLUX", name=name)
    return About(row.id, 0, row.partner)
