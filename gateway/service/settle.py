"""What each step of an interchange's life writes, as plain functions on one transaction.

Everything a step has to say (state, verdict, publications, events) goes into the same
transaction, so the journal never holds a state whose message is missing, nor the reverse.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection

from gateway.core.naming import interface_code
from gateway.errors import JournalError
from gateway.model.interchange import Interchange
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.publication import Publication
from gateway.model.verdict import (
    Accepted,
    Judgement,
    Rejected,
    Undetermined,
)
from gateway.service import messages
from gateway.service.consequences import Closing, Retry
from gateway.service.journal import records
from gateway.service.spool import StoredPayload

BROKER = "broker"
"""Destination of everything that goes through RabbitMQ (or its embedded stand-in)."""
PUBLISHABLE = frozenset({DocumentState.ACCEPTED, DocumentState.REJECTED})
ANSWERED = frozenset({InterchangeState.SETTLED, InterchangeState.REFUSED})


class Settled(msgspec.Struct, frozen=True):
    """Where a document stands after `settle_document`."""

    state: DocumentState
    documents_open: int
    again_at: dt.datetime | None
    cause: str | None
    revision: int
    """The number the interchange's next report will have."""


def receive(conn: Connection, interchange: Interchange, now: dt.datetime) -> records.Receipt:
    """Claim and record what arrived; a resend finds what the first attempt made."""
    receipt = records.receive(
        conn,
        interchange,
        interface_code=interface_code(interchange.envelope.name),
        claim_key=interchange.envelope.name,
        now=now,
    )
    if receipt.new:
        steps = records.transitions_of(conn, interchange.id)
        records.add_outbox_many(conn, _events(interchange, steps, None))
    return receipt


def settle_document(
    conn: Connection,
    interchange: Interchange,
    judgement: Judgement,
    result: Publication | None,
    *,
    attempt: int,
    retry: Retry | None,
    stored: StoredPayload | None = None,
    now: dt.datetime,
) -> Settled:
    """Write a document's verdict, its result and the events on the way there.

    `stored`: the result's body in the spool, when it is too large for a message.
    """
    row = records.interchange(conn, interchange.id)
    if row is None:
        raise LookupError(f"interchange {interchange.id} is not in the journal")
    documents = records.documents_of(conn, interchange.id)
    steps: list[records.Transition] = []
    cause: str | None = None
    if row.state == InterchangeState.RECEIVED:
        steps.append(
            records.move_interchange(
                conn, interchange.id, InterchangeState.OPENED, cause=None, now=now
            )
        )
    if not documents:
        steps.append(
            records.add_document(
                conn,
                interchange.id,
                1,
                name=judgement.document,
                sha256=judgement.sha256,
                size=judgement.size,
                now=now,
            )
        )
        state = DocumentState.EXTRACTED
    else:
        state = DocumentState(documents[0].state)
        if state in (DocumentState.ACCEPTED, DocumentState.REJECTED, DocumentState.PUBLISHED):
            return Settled(state, row.documents_open, None, None, row.report_revision + 1)

    def move(new: DocumentState, why: str | None = None) -> None:
        steps.append(records.move_document(conn, interchange.id, 1, new, cause=why, now=now))

    if state is DocumentState.UNDETERMINED:
        move(DocumentState.EXTRACTED, f"attempt {attempt}")
    records.store_judgement(conn, interchange.id, 1, judgement)
    documents_open = row.documents_open if documents else row.documents_open + 1
    verdict = judgement.verdict
    match verdict:
        case Accepted():
            state = DocumentState.ACCEPTED
            move(state)
        case Rejected():
            state = DocumentState.REJECTED
            cause = verdict.findings[0].rule
            move(state, cause)
        case Undetermined():
            state = DocumentState.UNDETERMINED
            cause = verdict.cause
            move(state, cause)
            again_at = retry.at if retry else None
            records.set_retry(
                conn,
                interchange.id,
                1,
                attempts=attempt,
                next_attempt_at=again_at,
                cause=cause,
            )
            if again_at is None:
                state = DocumentState.QUARANTINED
                move(state, cause)
            records.add_outbox_many(conn, _events(interchange, steps, judgement.flow))
            return Settled(state, documents_open, again_at, cause, row.report_revision + 1)
    documents_open = records.document_done(conn, interchange.id)
    outgoing = _events(interchange, steps, judgement.flow)
    if result is not None:
        message = _inside_or_beside(conn, result, stored, now)
        outgoing.append(_outgoing(interchange, message, 1, "document", BROKER))
    records.add_outbox_many(conn, outgoing)
    return Settled(state, documents_open, None, cause, row.report_revision + 1)


def judgements_of(
    conn: Connection, interchange_id: str
) -> tuple[records.InterchangeRow, list[tuple[int, DocumentState, Judgement]]]:
    """The interchange's row and what was said of each of its documents."""
    row = records.interchange(conn, interchange_id)
    if row is None:
        raise LookupError(f"interchange {interchange_id} is not in the journal")
    judged = [
        (document.ordinal, DocumentState(document.state), records.load_judgement(document))
        for document in records.documents_of(conn, interchange_id)
    ]
    return row, judged


def close_interchange(
    conn: Connection,
    interchange: Interchange,
    closing: Closing,
    *,
    stored: StoredPayload | None = None,
    now: dt.datetime,
) -> bool:
    """Write the interchange's end and its acknowledgement, once; False if it was there already.

    `stored`: the report in the spool, when it is too large for a message; the partner's file
    holds it whole either way.
    """
    row = records.interchange(conn, interchange.id)
    if row is None or row.state != InterchangeState.OPENED:
        return False
    if records.next_revision(conn, interchange.id, 0) != closing.revision:
        raise JournalError(
            f"The report of interchange {interchange.id} was written by somebody else meanwhile."
        )
    path = (
        [InterchangeState.JUDGED, InterchangeState.SETTLED]
        if closing.state is InterchangeState.SETTLED
        else [closing.state]
    )
    steps = [
        records.move_interchange(conn, interchange.id, state, cause=closing.cause, now=now)
        for state in path
    ]
    channel = interchange.envelope.transport.value
    back = messages.for_channel(closing.report, channel)
    outgoing = _events(interchange, steps, closing.flow)
    message = _inside_or_beside(conn, closing.report, stored, now)
    outgoing.append(_outgoing(interchange, message, 0, "report", BROKER, closing.filename))
    outgoing.append(_outgoing(interchange, back, 0, "report", channel, closing.filename))
    records.add_outbox_many(conn, outgoing)
    return True


def _inside_or_beside(
    conn: Connection, publication: Publication, stored: StoredPayload | None, now: dt.datetime
) -> Publication:
    """The publication itself, or a claim check on its body in the spool, which is then kept."""
    if stored is None:
        return publication
    records.add_payload_reference(conn, stored.sha256, size=stored.size, now=now)
    return messages.claim_check(publication, stored.sha256)


def delivered(conn: Connection, rows: Sequence[records.OutboxRow], now: dt.datetime) -> int:
    """Mark rows as delivered, and move what they speak of.

    A document whose result is out is published; an interchange whose acknowledgements are all
    out is acknowledged. Returns how many new rows (events) this wrote.
    """
    records.mark_delivered(conn, [row.id for row in rows], now)
    events: list[records.Outgoing] = []
    for row in rows:
        if row.kind == "event":
            continue
        found = records.interchange(conn, row.interchange_id)
        if found is None:
            continue
        if row.kind == "document":
            document = records.document(conn, row.interchange_id, row.ordinal)
            if document is None or document.state not in PUBLISHABLE:
                continue
            flow = document.flow
            step = records.move_document(
                conn,
                row.interchange_id,
                row.ordinal,
                DocumentState.PUBLISHED,
                cause=None,
                now=now,
            )
        else:
            if found.state not in ANSWERED or records.pending_of(conn, found.id, row.kind):
                continue
            flow = found.flow
            step = records.move_interchange(
                conn, found.id, InterchangeState.ACKNOWLEDGED, cause=None, now=now
            )
        events += _events(found.interchange(), [step], flow)
    return records.add_outbox_many(conn, events)


def _events(
    interchange: Interchange, steps: Iterable[records.Transition], flow: str | None
) -> list[records.Outgoing]:
    return [
        _outgoing(
            interchange,
            messages.event_publication(interchange, step, flow),
            step.ordinal,
            "event",
            BROKER,
        )
        for step in steps
    ]


def _outgoing(
    interchange: Interchange,
    publication: Publication,
    ordinal: int,
    kind: str,
    destination: str,
    filename: str | None = None,
) -> records.Outgoing:
    return records.Outgoing(
        publication=publication,
        interchange_id=interchange.id,
        ordinal=ordinal,
        kind=kind,
        destination=destination,
        partner=interchange.envelope.partner,
        filename=filename,
    )
