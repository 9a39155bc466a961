"""What `status_sender` reads and writes about the statuses it gives, as functions on a transaction.

A message, what it tells and its place in the lifecycle of each invoice are there together or not at
all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from gateway.core.uniqueness import seller_key
from gateway.model.interchange import Interchange
from gateway.model.lifecycle import InterchangeState
from gateway.model.partner import Partner
from gateway.service import answering, messages
from gateway.service.journal import given_records, records
from gateway.service.journal.status_records import Invoice
from gateway.service.portal import ways_to_portal
from gateway.service.status_composing import PORTAL, Composed
from gateway.service.statuses import record_sent
from gateway.spool import StoredPayload


def was_refused(conn: Connection, id_: str) -> bool:
    """Whether the end of the interchange was its refusal; acknowledging follows on that."""
    ends = [
        step.new
        for step in records.transitions_of(conn, id_, ordinals=[0])
        if step.new in (InterchangeState.REFUSED, InterchangeState.SETTLED)
    ]
    return bool(ends) and ends[-1] == InterchangeState.REFUSED


def give(
    conn: Connection,
    *,
    interchange: Interchange,
    flow: str | None,
    valid: Sequence[tuple[Composed, StoredPayload | None]],
    now: dt.datetime,
    portal: Partner | None = None,
) -> int:
    """Write messages and what they tell, but for those that a replay has overtaken; how many.

    `portal`: the partner that is the public portal, where it has channels of its own.
    """
    written = 0
    for composed, stored in valid:
        if not all(_stands(conn, interchange, told.row) for told in composed.told):
            continue  # what it is now is told with the next report
        several = len(composed.told) > 1
        publication = messages.cdar_publication(
            interchange,
            composed.body,
            id_=composed.message.id or "",
            ordinal=0 if several else composed.ordinal,
            filename=composed.filename,
            flow=flow,
            to_portal=composed.recipient == PORTAL,
            now=now,
        )
        form = answering.FormSent(
            publication=publication, filename=composed.filename, stored=stored
        )
        outgoing = answering.both_ways(
            conn,
            interchange,
            form,
            now,
            kind="cdar",
            ordinal=composed.ordinal,
            to_partner=composed.recipient != PORTAL,
        )
        if composed.recipient == PORTAL:
            outgoing += ways_to_portal(interchange, form, portal, composed.ordinal)
        records.add_outbox_many(conn, outgoing)
        given_records.give(conn, interchange.id, [told.given for told in composed.told], now)
        _record(conn, interchange, composed, now)
        written += 1
    return written


def _stands(conn: Connection, interchange: Interchange, row: records.DocumentRow | None) -> bool:
    """Whether a document is still what its message says."""
    if row is None:
        return True
    now = records.document(conn, interchange.id, row.ordinal)
    return now is not None and (now.revision, now.verdict) == (row.revision, row.verdict)


def _record(
    conn: Connection, interchange: Interchange, composed: Composed, now: dt.datetime
) -> None:
    """Put the statuses into the lifecycle of their invoices."""
    for told in composed.told:
        row, status = told.row, told.status
        if row is None or status.issued is None:
            continue
        record_sent(
            conn,
            invoice=Invoice(
                interchange_id=interchange.id,
                ordinal=row.ordinal,
                partner=interchange.envelope.partner,
                seller=seller_key(row.seller_id or ""),
                buyer=seller_key(row.buyer_id or ""),
            ),
            number=status.number or "",
            issued=status.issued.isoformat(),
            partner=PORTAL if composed.recipient == PORTAL else interchange.envelope.partner,
            message_id=composed.message.id or "",
            status=told.given.status,
            reasons=[detail.reason for detail in status.details if detail.reason],
            said_at=now,
            issuer=msgspec.to_builtins(composed.message.issuer) or {},
            now=now,
        )
