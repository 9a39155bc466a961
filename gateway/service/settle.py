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

from gateway.model.interchange import Interchange
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.publication import Publication
from gateway.model.verdict import (
    Accepted,
    Finding,
    Judgement,
    Rejected,
    Undetermined,
)
from gateway.service import lifecycle, messages, repeats
from gateway.service.consequences import Retry, Subject
from gateway.service.journal import records, search_records, status_records, uniqueness_records
from gateway.service.lifecycle import Telling
from gateway.spool import StoredPayload

BROKER = records.BROKER
PUBLISHABLE = frozenset({DocumentState.ACCEPTED, DocumentState.REJECTED})
WAITING = frozenset({DocumentState.EXTRACTED, DocumentState.UNDETERMINED})
"""States in which a document has no verdict yet."""
ANSWERED = frozenset({InterchangeState.SETTLED, InterchangeState.REFUSED})


class Settled(msgspec.Struct, frozen=True):
    """Where a document stands after `settle_document`.

    `repeated`: it was not accepted for this reason, and nothing was written. `stale`: nothing was
    written either, for what was weighed of its statuses stands otherwise now. `linked`: how many
    statuses were waiting for the invoice.
    """

    state: DocumentState
    documents_open: int
    again_at: dt.datetime | None
    cause: str | None
    revision: int
    """The number the interchange's next report will have."""
    repeated: Finding | None = None
    stale: bool = False
    linked: int = 0


def settle_document(
    conn: Connection,
    interchange: Interchange,
    subject: Subject,
    judgement: Judgement,
    result: Publication | None,
    *,
    retry: Retry | None,
    stored: StoredPayload | None = None,
    claim: repeats.Claim | None = None,
    telling: Telling | None = None,
    now: dt.datetime,
) -> Settled:
    """Write a document's verdict, its result and the events on the way there.

    A payload that is its own document is entered here; the members of an archive were before.
    `stored`: the result's body in the spool, when it is too large for a message. `claim`: what an
    accepted document must be alone in having; when it is not, that is all this says. `telling`:
    what an accepted lifecycle message tells, as it was weighed before.
    """
    row = row_of(conn, interchange)
    ordinal = subject.ordinal
    document = records.document(conn, interchange.id, ordinal)
    if telling is not None and not telling.still_stands(conn, interchange, ordinal):
        waits = DocumentState.EXTRACTED
        return Settled(waits, row.documents_open, None, None, row.report_revision + 1, stale=True)
    if claim is not None and (document is None or document.state in WAITING):
        repeated = repeats.take(conn, interchange, ordinal, claim, now)
        if repeated is not None:
            waits = DocumentState.EXTRACTED
            return Settled(waits, row.documents_open, None, None, row.report_revision + 1, repeated)
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
    search_records.enter(conn, interchange, ordinal, judgement)
    verdict = judgement.verdict
    match verdict:
        case Accepted():
            state = DocumentState.ACCEPTED
            move(state)
            records.keep_files(conn, interchange.id, ordinal, judgement.files, now)
            if telling is not None:
                telling.record(conn, interchange, ordinal, again=subject.revision > 0, now=now)
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
    if subject.revision:  # it may have held an invoice until it was judged again
        kept = claim.invoice if claim is not None else None
        uniqueness_records.drop_invoices(conn, interchange.id, ordinal, but=kept)
    documents_open = records.document_done(conn, interchange.id)
    outgoing = events_of(interchange, steps, judgement.flow)
    if result is not None:
        message = inside_or_beside(conn, result, stored, now)
        outgoing.append(outgoing_of(interchange, message, ordinal, "document", BROKER))
    linked = 0
    if isinstance(verdict, Accepted):
        said = lifecycle.said_of(conn, interchange, subject, judgement, claim, telling, now)
        linked = said.linked
        outgoing += [
            outgoing_of(told.interchange, told.publication, told.ordinal, "event", BROKER)
            for told in said.events
        ]
    elif subject.revision:  # it may have told statuses until it was judged again
        status_records.drop_told(conn, interchange.id, ordinal)
    records.add_outbox_many(conn, outgoing)
    return Settled(state, documents_open, None, cause, row.report_revision + 1, linked=linked)


def row_of(conn: Connection, interchange: Interchange) -> records.InterchangeRow:
    """What the journal keeps of the interchange. Raises LookupError when it is not there."""
    row = records.interchange(conn, interchange.id)
    if row is None:
        raise LookupError(f"interchange {interchange.id} is not in the journal")
    return row


def inside_or_beside(
    conn: Connection, publication: Publication, stored: StoredPayload | None, now: dt.datetime
) -> Publication:
    """The publication itself, or a claim check on its body in the spool, which is then kept."""
    if stored is None:
        return publication
    records.add_payload_reference(conn, stored.sha256, size=stored.size, now=now)
    return messages.claim_check(publication, stored.sha256, stored.size)


def delivered(
    conn: Connection,
    rows: Sequence[records.OutboxRow],
    now: dt.datetime,
    *,
    attempted: bool = True,
) -> int:
    """Mark rows as delivered, and move what they speak of.

    A document whose result is out is published; an interchange whose acknowledgements are all
    out is acknowledged. `attempted` False: a receipt says so, the attempt is counted elsewhere.
    Returns how many new rows (events) this wrote.
    """
    records.mark_delivered(conn, [row.id for row in rows], now, attempted=attempted)
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
        outgoing_of(
            interchange,
            messages.event_publication(interchange, step, flow),
            step.ordinal,
            "event",
            BROKER,
        )
        for step in steps
    ]


def outgoing_of(
    interchange: Interchange,
    publication: Publication,
    ordinal: int,
    kind: str,
    destination: str,
    filename: str | None = None,
    payload: str | None = None,
) -> records.Outgoing:
    """A message for the outbox, about an interchange or one document of it."""
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
