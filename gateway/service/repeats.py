"""Whether an accepted document repeats another: decided in the transaction that writes it.

    claim ──nobody holds its keys──▶ they are the document's, and its verdict is written
      └──────somebody does─────────▶ nothing is written; the verdict becomes what is said of that
                                     (rejected, or accepted with a warning), and is written instead

The writer runs one transaction after the other, and keys are unique in the journal, so of two
copies that are judged at the same time exactly one is accepted.
"""

from __future__ import annotations

import datetime as dt

import msgspec
from sqlalchemy import Connection

from gateway.core import uniqueness
from gateway.core.uniqueness import FluxKey, InvoiceKey
from gateway.model.interchange import Interchange
from gateway.model.partner import Uniqueness
from gateway.model.verdict import Accepted, Finding, Judgement, Severity
from gateway.service.journal import uniqueness_records


class Claim(msgspec.Struct, frozen=True):
    """The keys an accepted document takes; None where nothing is compared."""

    flux: FluxKey | None
    invoice: InvoiceKey | None
    policy: Uniqueness


def claim_of(interchange: Interchange, judgement: Judgement, policy: Uniqueness) -> Claim | None:
    """What an accepted document must be alone in having; None for any other verdict."""
    if not isinstance(judgement.verdict, Accepted):
        return None
    invoice = None
    if policy.invoice != "off" and judgement.verdict.invoice:
        invoice = uniqueness.invoice_key(judgement.verdict.invoice)
        if invoice is not None:
            seller = uniqueness.within(interchange.environment, invoice.seller)
            invoice = msgspec.structs.replace(invoice, seller=seller)
    return Claim(flux_of(interchange, policy), invoice, policy)


def flux_of(interchange: Interchange, policy: Uniqueness) -> FluxKey | None:
    """What of the file its partner may not send again."""
    envelope = interchange.envelope
    sender = uniqueness.within(interchange.environment, envelope.partner)
    return uniqueness.flux_key(sender, envelope.name, interchange.sha256, policy)


def flux_repeated(conn: Connection, interchange: Interchange, key: FluxKey) -> Finding | None:
    """Why the file is refused: another interchange holds its name or its bytes."""
    holders = [
        holder
        for holder in uniqueness_records.flux_holders(conn, key)
        if holder.interchange != interchange.id
    ]
    return uniqueness.flux_finding(holders, key, interchange.sha256, interchange.envelope.name)


def take(
    conn: Connection, interchange: Interchange, ordinal: int, claim: Claim, now: dt.datetime
) -> Finding | None:
    """Take the keys for a document; or none of them, and say what it repeats."""
    took_flux = False
    if claim.flux is not None:
        took_flux = uniqueness_records.take_flux(conn, claim.flux, interchange.id, now)
        if not took_flux and not uniqueness_records.holds_flux(conn, interchange.id):
            repeated = flux_repeated(conn, interchange, claim.flux)
            if repeated is not None:
                return repeated
    if claim.invoice is None:
        return None
    holder = uniqueness_records.take_invoice(conn, claim.invoice, interchange.id, ordinal, now)
    if holder is None:
        return None
    if took_flux:
        uniqueness_records.drop_flux(conn, interchange.id)
    severity = Severity.ERROR if claim.policy.invoice == "refuse" else Severity.WARNING
    return uniqueness.invoice_finding(
        claim.invoice, holder, partner=interchange.envelope.partner, severity=severity
    )


def after(judgement: Judgement, claim: Claim, finding: Finding) -> tuple[Judgement, Claim | None]:
    """What is said of a document that repeats another, and what it still takes."""
    changed = uniqueness.with_finding(judgement, finding)
    if isinstance(changed.verdict, Accepted):
        return changed, Claim(claim.flux, None, claim.policy)
    return changed, None
