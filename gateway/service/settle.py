"""What each step of an interchange's life writes, as plain functions on one transaction.

The steps before any verdict are in `arrive`.

Everything a step has to say (state, verdict, publications, events) goes into the same
transaction, so the journal never holds a state whose message is missing, nor the reverse.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection

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
from gateway.service.consequences import Retry, Subject
from gateway.service.journal import records
from gateway.spool import StoredPayload

BROKER = "broker"
"""Destination of everything that goes through RabbitMQ (or its embedded stand-in)."""
PUBLISHABLE = frozenset({DocumentState.ACCEPTED, DocumentState.REJECTED})
WAITING = frozenset({DocumentState.EXTRACTED, DocumentState.UNDETERMINED})
"""States in which a document has no verdict yet."""
ANSWERED = frozenset({InterchangeState.SETTLED, InterchangeState.REFUSED})


class Settled(msgspec.Struct, frozen=True):
    """Where a document stands after `settle_document`."""

    state: DocumentState
    documents_open: int
    again_at: dt.datetime | None
    cause: str | None
    revision: int
    """The number the interchange's next report will have."""


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """How an interchange ends, with its acknowledgement.

    `state` None: it does not end yet, its partner is told provisionally. `stored`: the report is
    in the spool, too large for a message.
    """

    state: InterchangeState | None
    flow: str | None
    revision: int
    report: Publication
    filename: str
    stored: StoredPayload | None
    cause: str | None


def settle_document(
    conn: Connection,
    interchange: Interchange,
    subject: Subject,
    judgement: Judgement,
    result: Publication | None,
    *,
    retry: Retry | None,
    stored: StoredPayload | None = None,
    now: dt.datetime,
) -> Settled:
    """Write a document's verdict, its result and the events on the way there.

    A payload that is its own document is entered here; the members of an archive were before.
    `stored`: the result's body in the spool, when it is too large for a message.
    """
    row = row_of(conn, interchange)
    ordinal = subject.ordinal
    document = records.document(conn, interchange.id, ordinal)
    steps: list[records.Transition] = []
    cause: str | None = None
    documents_open = row.documents_open
    if row.state == InterchangeState.RECEIVED:
        steps.append(
            records.move_interchange(
                conn, interchange.id, InterchangeState.OPENED, cause=None, now=now
            )
        )
    if document is None:
        documents_open += 1
        steps.append(
            records.add_document(
                conn,
                interchange.id,
                ordinal,
                name=judgement.document,
                sha256=judgement.sha256,
                size=judgement.size,
                now=now,
            )
        )
        state = DocumentState.EXTRACTED
    else:
        state = document.state
        if state not in WAITING:  # said before: by an attempt whose answer was lost
            return Settled(state, documents_open, None, None, row.report_revision + 1)

    def move(new: DocumentState, why: str | None = None) -> None:
        steps.append(records.move_document(conn, interchange.id, ordinal, new, cause=why, now=now))

    if state is DocumentState.UNDETERMINED:
        move(DocumentState.EXTRACTED, f"attempt {subject.attempts + 1}")
    records.store_judgement(conn, interchange.id, ordinal, judgement)
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
                ordinal,
                attempts=subject.attempts + 1,
                next_attempt_at=again_at,
                cause=cause,
                lethal=retry.lethal if retry else 0,
            )
            if again_at is None:
                state = DocumentState.QUARANTINED
                move(state, cause)
            records.add_outbox_many(conn, events_of(interchange, steps, judgement.flow))
            return Settled(state, documents_open, again_at, cause, row.report_revision + 1)
    documents_open = records.document_done(conn, interchange.id)
    outgoing = events_of(interchange, steps, judgement.flow)
    if result is not None:
        message = _inside_or_beside(conn, result, stored, now)
        outgoing.append(_outgoing(interchange, message, ordinal, "document", BROKER))
    records.add_outbox_many(conn, outgoing)
    return Settled(state, documents_open, None, cause, row.report_revision + 1)


def close_interchange(
    conn: Connection,
    interchange: Interchange,
    closing: Closing,
    *,
    now: dt.datetime,
) -> bool:
    """Write the interchange's end and its acknowledgement, once; False if it was there already.

    With `closing.state` None only the provisional report is written: the work goes on.
    """
    row = row_of(conn, interchange)
    if row.state != InterchangeState.OPENED:
        return False
    if records.next_revision(conn, interchange.id, 0) != closing.revision:
        raise JournalError(
            f"The report of interchange {interchange.id} was written by somebody else meanwhile."
        )
    if closing.state is not None and any(
        state in WAITING for state in records.document_states(conn, interchange.id)
    ):
        raise JournalError(
            f"A document of interchange {interchange.id} was released while its report was made."
        )
    path = {
        None: [],
        InterchangeState.SETTLED: [InterchangeState.JUDGED, InterchangeState.SETTLED],
    }.get(closing.state, [closing.state])
    steps = [
        records.move_interchange(conn, interchange.id, state, cause=closing.cause, now=now)
        for state in path
        if state is not None
    ]
    channel = interchange.envelope.transport.value
    back = messages.for_channel(closing.report, channel)
    outgoing = events_of(interchange, steps, closing.flow)
    message = _inside_or_beside(conn, closing.report, closing.stored, now)
    outgoing.append(_outgoing(interchange, message, 0, "report", BROKER, closing.filename))
    payload = closing.stored.sha256 if closing.stored else None
    if payload is not None:
        back = msgspec.structs.replace(back, body=b"")
    outgoing.append(_outgoing(interchange, back, 0, "report", channel, closing.filename, payload))
    records.add_outbox_many(conn, outgoing)
    return True


def row_of(conn: Connection, interchange: Interchange) -> records.InterchangeRow:
    """What the journal keeps of the interchange. Raises LookupError when it is not there."""
    row = records.interchange(conn, interchange.id)
    if row is None:
        raise LookupError(f"interchange {interchange.id} is not in the journal")
    return row


def _inside_or_beside(
    conn: Connection, publication: Publication, stored: StoredPayload | None, now: dt.datetime
) -> Publication:
    """The publication itself, or a claim check on its body in the spool, which is then kept."""
    if stored is None:
        return publication
    records.add_payload_reference(conn, stored.sha256, size=stored.size, now=now)
    return messages.claim_check(publication, stored.sha256, stored.size)


def delivered(conn: Connection, rows: Sequence[records.OutboxRow], now: dt.datetime) -> int:
    """Mark rows as delivered, and move what they speak of.

    A document whose result is out is published; an interchange whose acknowledgements are all
    out is acknowledged. Returns how many new rows (events) this wrote.
    """
    records.mark_delivered(conn, [row.id for row in rows], now)
    events: list[records.Outgoing] = []
    for row in rows:
        if row.kind not in ("document", "report"):
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
        events += events_of(found.interchange(), [step], flow)
    return records.add_outbox_many(conn, events)


def events_of(
    interchange: Interchange, steps: Iterable[records.Transition], flow: str | None
) -> list[records.Outgoing]:
    """The events that tell of these steps, ready for the outbox."""
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
    payload: str | None = None,
) -> records.Outgoing:
    return records.Outgoing(
        publication=publication,
        interchange_id=interchange.id,
        ordinal=ordinal,
        kind=kind,
        destination=destination,
        partner=interchange.envelope.partner,
        filename=filename,
        payload=payload,
    )
