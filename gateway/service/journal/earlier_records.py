"""Accepted invoices that hold no number: what of them the journal still has, page by page.

A document's canonical invoice is the body of its result in the outbox, or lies in the spool where
that was too large. The result is found by its message id, never by going through an interchange.
Where it is gone, there are still the columns that people search by; they lack the schemes of
identifiers, so only a seller with a SIREN is known by them.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from gateway.core.uniqueness import InvoiceKey, invoice_key, seller_key
from gateway.model.interchange import INVOICE_SYNTAXES, Environment
from gateway.model.publication import message_id
from gateway.service.journal.tables import documents, interchanges, invoice_keys, outbox

INVOICE_RESULT: Final = "edi.document.invoice"
"""The type of a result that is a canonical invoice (service.messages)."""
CLAIM_CHECK: Final = "claim-check"
"""The header with the sum of a body that is in the spool."""

_PAGE: Final = (
    sa.select(
        documents.c.interchange_id,
        documents.c.ordinal,
        documents.c.name,
        documents.c.verdict,
        documents.c.syntax,
        documents.c.revision,
        documents.c.invoice_number,
        documents.c.issue_date,
        documents.c.seller_id,
        interchanges.c.partner,
        interchanges.c.received_at,
        sa.exists()
        .where(
            invoice_keys.c.interchange_id == documents.c.interchange_id,
            invoice_keys.c.ordinal == documents.c.ordinal,
        )
        .label("holds"),
    )
    .join(interchanges, interchanges.c.id == documents.c.interchange_id)
    .where(
        sa.tuple_(documents.c.interchange_id, documents.c.ordinal)
        > sa.tuple_(sa.bindparam("b_id"), sa.bindparam("b_ordinal")),
        interchanges.c.environment == Environment.PRODUCTION,  # a test repeats nothing
    )
    .order_by(documents.c.interchange_id, documents.c.ordinal)
    .limit(sa.bindparam("b_limit"))
)
_RESULT: Final = sa.select(outbox.c.body, outbox.c.headers).where(
    outbox.c.message_id == sa.bindparam("b_message"), outbox.c.type == INVOICE_RESULT
)
_STILL_ACCEPTED: Final = sa.select(documents.c.ordinal).where(
    documents.c.interchange_id == sa.bindparam("b_id"),
    documents.c.ordinal == sa.bindparam("b_ordinal"),
    documents.c.verdict == "accepted",
)


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A document. Places are in the order in which their interchanges were received."""

    interchange: str
    ordinal: int


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted invoice that holds nothing.

    `key`: what it should hold, by its canonical invoice. `payload`: where in the spool that is, if
    it must be read there. Neither: it is nowhere any more. `seller`: whether it has one that can
    be compared. `listed`: its key by the columns that people search by.
    """

    place: Place
    name: str
    partner: str
    key: InvoiceKey | None = None
    payload: str | None = None
    seller: bool = True
    listed: InvoiceKey | None = None


class EarlierPage(msgspec.Struct, frozen=True, kw_only=True):
    """So many `documents` that were looked at, of every kind, and those that hold nothing.

    `last`: the last of all, None when there are no more; `received_at` is that of its interchange.
    """

    documents: int
    invoices: tuple[Earlier, ...]
    last: Place | None
    received_at: dt.datetime | None


def earlier_page(conn: sa.Connection, after: Place | None, limit: int) -> EarlierPage:
    """The next documents after that one."""
    start = after or Place("", 0)
    wanted = {"b_id": start.interchange, "b_ordinal": start.ordinal, "b_limit": limit}
    rows = conn.execute(_PAGE, wanted).all()
    syntaxes = {syntax.value for syntax in INVOICE_SYNTAXES}
    found = [
        _read(conn, row)
        for row in rows
        if row.verdict == "accepted" and row.syntax in syntaxes and not row.holds
    ]
    last = rows[-1] if rows else None
    return EarlierPage(
        documents=len(rows),
        invoices=tuple(found),
        last=None if last is None else Place(last.interchange_id, last.ordinal),
        received_at=None if last is None else last.received_at,
    )


def still_accepted(conn: sa.Connection, place: Place) -> bool:
    """Whether nobody rejected the document meanwhile."""
    wanted = {"b_id": place.interchange, "b_ordinal": place.ordinal}
    return conn.execute(_STILL_ACCEPTED, wanted).first() is not None


def _read(conn: sa.Connection, row: Any) -> Earlier:
    earlier = Earlier(
        place=Place(row.interchange_id, row.ordinal),
        name=row.name,
        partner=row.partner,
        listed=_listed(row),
    )
    message = message_id(row.interchange_id, row.ordinal, "document", row.revision)
    result = conn.execute(_RESULT, {"b_message": message}).first()
    if result is None or not result.body:
        return earlier
    payload = result.headers.get(CLAIM_CHECK)
    if payload is not None:
        return msgspec.structs.replace(earlier, payload=payload)
    key = invoice_key(result.body)
    return msgspec.structs.replace(earlier, key=key, seller=key is not None)


def _listed(row: Any) -> InvoiceKey | None:
    """The key by the columns of the table."""
    seller = seller_key(row.seller_id or "") or ""
    number, year = (row.invoice_number or "").strip(), (row.issue_date or "")[:4]
    if not seller.startswith("siren:") or not number or not year.isdecimal():
        return None
    return InvoiceKey(seller, number, int(year))
