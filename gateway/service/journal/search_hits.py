"""What a search shows of the documents it found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from gateway.model.interchange import Environment
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.verdict import Judgement
from gateway.service.journal.search_tables import searchable
from gateway.service.journal.tables import documents, interchanges


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was found: texts as they were written, not as they are compared."""

    interchange: str
    ordinal: int
    environment: Environment
    partner: str
    channel: str
    file: str
    name: str
    received_at: dt.datetime
    state: DocumentState
    interchange_state: InterchangeState
    flow: str | None
    format: str | None
    verdict: str | None
    cause: str | None
    number: str | None
    issued: str | None
    seller_id: str | None
    seller_name: str | None
    buyer_id: str | None
    buyer_name: str | None
    amount: str | None
    currency: str | None


_READ: Final = (
    sa.select(
        searchable.c.id,
        searchable.c.interchange_id.label("interchange"),
        searchable.c.ordinal,
        searchable.c.channel,
        searchable.c.format,
        searchable.c.seller_name,
        searchable.c.buyer_name,
        searchable.c.amount,
        interchanges.c.environment,
        interchanges.c.partner,
        interchanges.c.name.label("file"),
        interchanges.c.received_at,
        interchanges.c.state.label("interchange_state"),
        documents.c.name,
        documents.c.state,
        documents.c.flow,
        documents.c.verdict,
        documents.c.cause,
        documents.c.invoice_number.label("number"),
        documents.c.issue_date.label("issued"),
        documents.c.seller_id,
        documents.c.buyer_id,
        documents.c.judgement,
    )
    .join(interchanges, interchanges.c.id == searchable.c.interchange_id)
    .join(
        documents,
        sa.and_(
            documents.c.interchange_id == searchable.c.interchange_id,
            documents.c.ordinal == searchable.c.ordinal,
        ),
    )
    .where(searchable.c.id.in_(sa.bindparam("b_ids", expanding=True)))
)


class _Written(msgspec.Struct, frozen=True):
    """As much of a judgement as is shown."""

    seller_name: str | None = None
    buyer_name: str | None = None
    amount: str | None = None
    currency: str | None = None


assert set(_Written.__struct_fields__) <= set(Judgement.__struct_fields__)
_decode = msgspec.msgpack.Decoder(_Written).decode


def hits_of(conn: sa.Connection, ids: Sequence[int]) -> tuple[Hit, ...]:
    """The documents with these numbers, in their order; one that is not there any more is left out.

    While it is being judged again, a document is shown without its verdict.
    """
    if not ids:
        return ()
    found = {row.id: row for row in conn.execute(_READ, {"b_ids": list(ids)})}
    return tuple(_hit(found[each]) for each in ids if each in found)


def _hit(row: Any) -> Hit:
    values = dict(row._mapping)
    del values["id"]
    judgement = values.pop("judgement")
    written = _decode(judgement) if judgement else _Written()
    hundredths = values.pop("amount")
    # Of what an earlier version judged, there is only what it is compared by.
    values |= {
        "seller_name": written.seller_name or values["seller_name"],
        "buyer_name": written.buyer_name or values["buyer_name"],
        "amount": written.amount or _shown(hundredths),
        "currency": written.currency,
    }
    return Hit(**values)


def _shown(hundredths: int | None) -> str | None:
    if hundredths is None:
        return None
    sign = "-" if hundredths < 0 else ""
    return f"{sign}{abs(hundredths) // 100}.{abs(hundredths) % 100:02}"
