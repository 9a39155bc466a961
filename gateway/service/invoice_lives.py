"""Which lifecycle a status belongs to, what it holds so far, and who may add to it.

That of a document of ours; or of an invoice that another system accepted, of which we know seller,
number and year alone. Who sent that one, or bought it, we do not know: a partner may speak of it
when the seller is one of its `parties`, or when it may speak of all invoices.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.core.cdar.order import Given
from gateway.core.uniqueness import InvoiceKey, seller_key
from gateway.model.partner import Statuses
from gateway.model.standing import Direction, Standing
from gateway.service.journal import status_records
from gateway.service.journal.status_records import Invoice
from gateway.service.journal.uniqueness_records import invoice_held


class Life(NamedTuple):
    """A lifecycle, by its `place`. `standing`: of what is in it; `given`: that, so far."""

    place: tuple[str, int]
    standing: Standing
    believed: bool
    given: Callable[[], list[Given]]


def life_of(
    conn: Connection,
    partner: str,
    rights: Statuses,
    invoice: Invoice | None,
    key: InvoiceKey,
    *,
    but: tuple[str, int],
) -> Life | None:
    """The lifecycle that a partner's status would be in; None: the invoice is unknown.

    `invoice`: the document of ours, if there is one. `but`: the message that tells the status.
    """
    if invoice is not None:
        return Life(
            (invoice.interchange_id, invoice.ordinal),
            Standing.RECORDED,
            may_speak(partner, rights, invoice),
            partial(given, conn, invoice, but),
        )
    if is_imported(conn, key):
        return Life(
            (f"{key.seller} {key.number}", key.year),
            Standing.IMPORTED,
            may_speak_of_imported(rights, key),
            partial(given_to_imported, conn, key, but),
        )
    return None


def may_speak(partner: str, rights: Statuses, invoice: Invoice) -> bool:
    """Whether a partner with these rights may speak of a document."""
    if rights.of == "any" or invoice.partner == partner:
        return True
    parties = _parties(rights)
    return invoice.seller in parties or invoice.buyer in parties


def may_speak_of_imported(rights: Statuses, key: InvoiceKey) -> bool:
    """Whether a partner with these rights may speak of an imported invoice."""
    return rights.of == "any" or key.seller in _parties(rights)


def given(
    conn: Connection,
    invoice: Invoice,
    but: tuple[str, int] | None = None,
    *,
    told_to: str | None = None,
) -> list[Given]:
    """The lifecycle of a document so far; without what one message told.

    `told_to`: as this recipient knows it, without what we told others. The same status goes to
    several, and does not follow itself.
    """
    rows = status_records.statuses_of_invoice(conn, invoice.interchange_id, invoice.ordinal)
    return [
        Given(row.status, row.said_at)
        for row in rows
        if row.standing == Standing.RECORDED
        and (row.interchange_id, row.ordinal) != but
        and (told_to is None or row.direction != Direction.SENT or row.partner == told_to)
    ]


def given_to_imported(
    conn: Connection, key: InvoiceKey, but: tuple[str, int] | None = None
) -> list[Given]:
    """The lifecycle of an imported invoice so far; without what one message told."""
    return [
        Given(row.status, row.said_at)
        for row in status_records.statuses_of_imported(conn, key)
        if row.standing == Standing.IMPORTED and (row.interchange_id, row.ordinal) != but
    ]


def is_imported(conn: Connection, key: InvoiceKey) -> bool:
    """Whether another system accepted this invoice."""
    held = invoice_held(conn, key)
    return held is not None and held.imported


def _parties(rights: Statuses) -> set[str]:
    keys = (seller_key(party) for party in rights.parties)
    return {key for key in keys if key is not None}
