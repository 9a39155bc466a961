"""Documents that an earlier version judged: what they are found by, and counted as, page by page.

Of an accepted invoice that is in its result, the canonical invoice; names and amount of any other
document were never kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from gateway.model.interchange import Envelope, Interchange, Transport
from gateway.model.publication import message_id
from gateway.model.verdict import Accepted, Judgement
from gateway.service.journal.earlier_records import CLAIM_CHECK, INVOICE_RESULT, Place
from gateway.service.journal.judgement_records import decode_judgement
from gateway.service.journal.search_records import enter_new, entry_of
from gateway.service.journal.search_tables import searchable
from gateway.service.journal.tables import documents, interchanges, outbox

_ENTERED: Final = (
    sa.exists()
    .where(
        searchable.c.interchange_id == documents.c.interchange_id,
        searchable.c.ordinal == documents.c.ordinal,
    )
    .label("entered")
)
_PAGE: Final = (
    sa.select(documents.c.interchange_id, documents.c.ordinal, documents.c.judgement, _ENTERED)
    .where(
        sa.tuple_(documents.c.interchange_id, documents.c.ordinal)
        > sa.tuple_(sa.bindparam("b_id"), sa.bindparam("b_ordinal"))
    )
    .order_by(documents.c.interchange_id, documents.c.ordinal)
    .limit(sa.bindparam("b_limit"))
)
_INTERCHANGE: Final = sa.select(
    interchanges.c.id,
    interchanges.c.partner,
    interchanges.c.name,
    interchanges.c.transport,
    interchanges.c.received_at,
    interchanges.c.sha256,
    interchanges.c.size,
    interchanges.c.environment,
).where(interchanges.c.id.in_(sa.bindparam("b_ids", expanding=True)))
_REVISION: Final = sa.select(documents.c.revision).where(
    documents.c.interchange_id == sa.bindparam("b_id"),
    documents.c.ordinal == sa.bindparam("b_ordinal"),
)
_RESULT: Final = sa.select(outbox.c.body, outbox.c.headers).where(
    outbox.c.message_id == sa.bindparam("b_message"), outbox.c.type == INVOICE_RESULT
)


class Unentered(msgspec.Struct, frozen=True, kw_only=True):
    """A judged document that nothing finds. `payload`: where its canonical invoice is in the spool.

    `invoice` is that invoice, where it could be had.
    """

    interchange: Interchange
    ordinal: int
    judgement: Judgement
    payload: str | None = None
    invoice: bytes = b""


class UnenteredPage(msgspec.Struct, frozen=True, kw_only=True):
    """So many `documents` that were looked at, and those that nothing finds.

    `last`: the last of all; None when there are no more, like `received_at`, that of its file.
    """

    documents: int
    unentered: tuple[Unentered, ...]
    last: Place | None
    received_at: dt.datetime | None


class _Party(msgspec.Struct, frozen=True):
    name: str | None = None


class _Totals(msgspec.Struct, frozen=True):
    invoice_total_amount_with_vat: str | None = None


class _Invoice(msgspec.Struct, frozen=True):
    """As much of the canonical invoice as people search by."""

    invoice_currency_code: str | None = None
    seller: _Party = _Party()
    buyer: _Party = _Party()
    document_totals: _Totals = _Totals()


_decode_invoice = msgspec.json.Decoder(_Invoice).decode


def unentered_page(conn: sa.Connection, after: Place | None, limit: int) -> UnenteredPage:
    """The next documents after that one."""
    start = after or Place("", 0)
    wanted = {"b_id": start.interchange, "b_ordinal": start.ordinal, "b_limit": limit}
    rows = conn.execute(_PAGE, wanted).all()
    missing = [row for row in rows if not row.entered and row.judgement is not None]
    ids = {row.interchange_id for row in [*missing, *rows[-1:]]}
    known = {row.id: _interchange(row) for row in conn.execute(_INTERCHANGE, {"b_ids": list(ids)})}
    last = rows[-1] if rows else None
    return UnenteredPage(
        documents=len(rows),
        unentered=tuple(_unentered(conn, known[row.interchange_id], row) for row in missing),
        last=None if last is None else Place(last.interchange_id, last.ordinal),
        received_at=None if last is None else known[last.interchange_id].envelope.received_at,
    )


def enter_earlier(conn: sa.Connection, page: Sequence[Unentered]) -> int:
    """Have these found and counted; how many of them nobody entered meanwhile."""
    return sum(
        enter_new(conn, entry_of(each.interchange, each.ordinal, _with_names(each)))
        for each in page
    )


def _unentered(conn: sa.Connection, interchange: Interchange, row: Any) -> Unentered:
    judgement = decode_judgement(row.judgement)
    found = Unentered(interchange=interchange, ordinal=row.ordinal, judgement=judgement)
    if not isinstance(judgement.verdict, Accepted) or judgement.amount is not None:
        return found
    key = {"b_id": interchange.id, "b_ordinal": row.ordinal}
    revision = conn.execute(_REVISION, key).scalar_one()
    message = message_id(interchange.id, row.ordinal, "document", revision)
    result = conn.execute(_RESULT, {"b_message": message}).first()
    if result is None or not result.body:
        return found
    payload = result.headers.get(CLAIM_CHECK)
    if payload is not None:
        return msgspec.structs.replace(found, payload=payload)
    return msgspec.structs.replace(found, invoice=result.body)


def _with_names(each: Unentered) -> Judgement:
    """What this version would have kept of it."""
    name = each.judgement.document.casefold()
    judgement = msgspec.structs.replace(
        each.judgement, pdf=each.judgement.pdf or name.endswith(".pdf")
    )
    if not each.invoice:
        return judgement
    try:
        read = _decode_invoice(each.invoice)
    except msgspec.MsgspecError:
        return judgement  # of a version whose canonical invoice was another
    return msgspec.structs.replace(
        judgement,
        seller_name=read.seller.name,
        buyer_name=read.buyer.name,
        amount=read.document_totals.invoice_total_amount_with_vat,
        currency=read.invoice_currency_code,
    )


def _interchange(row: Any) -> Interchange:
    return Interchange(
        id=row.id,
        envelope=Envelope(
            partner=row.partner,
            name=row.name,
            transport=Transport(row.transport),
            received_at=row.received_at,
        ),
        sha256=row.sha256,
        size=row.size,
        environment=row.environment,
    )
