"""What each step of an interchange's life writes, as plain functions on one transaction.

Everything a step has to say (state, verdict, publications, events) goes into the same
transaction, so the journal never holds a state whose message is missing, nor the reverse.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection

from gateway.config.settings import Judges as JudgeSettings
from gateway.core.naming import interface_code
from gateway.errors import JournalError
from gateway.model.interchange import Interchange
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.partner import Partner
from gateway.model.publication import Publication
from gateway.model.verdict import (
    Accepted,
    Judgement,
    Language,
    Layer,
    Rejected,
    Undetermined,
    Verdict,
)
from gateway.service import messages
from gateway.service.journal import records

BROKER = "broker"
"""Destination of everything that goes through RabbitMQ (or its embedded stand-in)."""

UNREADABLE = frozenset({Layer.CONTAINER, Layer.XML})
"""Layers whose errors mean that there was no invoice to judge: the interchange is refused."""


PUBLISHABLE = frozenset({DocumentState.ACCEPTED, DocumentState.REJECTED})
ANSWERED = frozenset({InterchangeState.SETTLED, InterchangeState.REFUSED})


class Retry(msgspec.Struct, frozen=True):
    """When an undetermined document is tried again; `at` None: it needs a human."""

    at: dt.datetime | None


class Settled(msgspec.Struct, frozen=True):
    """Where a document stands after `settle_document`."""

    state: DocumentState
    documents_open: int
    again_at: dt.datetime | None
    cause: str | None
    revision: int
    """The number the interchange's next report will have."""


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """How an interchange ends, with its acknowledgement."""

    state: InterchangeState
    flow: str | None
    revision: int
    report: Publication
    filename: str
    cause: str | None


Judged = Sequence[tuple[int, DocumentState, Judgement]]
"""Ordinal, state and judgement of every document of an interchange, in order."""


# ---- values


def language_of(partner: Partner | None) -> Language:
    """The language answers to this partner are written in."""
    return partner.language if partner else Language.FR


def undetermined(interchange: Interchange, verdict: Undetermined) -> Judgement:
    """The judgement on a payload whose judge failed before it could say anything."""
    return Judgement(
        document=interchange.envelope.name,
        sha256=interchange.sha256,
        size=interchange.size,
        flow=None,
        syntax=None,
        document_type=None,
        profile=None,
        verdict=verdict,
    )


def retry_plan(
    verdict: Verdict, attempt: int, settings: JudgeSettings, now: dt.datetime
) -> Retry | None:
    """When to judge again: None for a verdict that stands, `Retry(None)` after the last attempt.

    The pause doubles with each attempt. A cause that needs somebody to mend something (a missing
    rule pack) is retried as well: it is mended while the document waits more often than not.
    """
    if not isinstance(verdict, Undetermined):
        return None
    if attempt >= settings.attempts:
        return Retry(None)
    return Retry(now + dt.timedelta(seconds=settings.retry_seconds * 2 ** (attempt - 1)))


def result_of(
    interchange: Interchange, judgement: Judgement, language: Language, now: dt.datetime
) -> Publication | None:
    """The publication of a document's result; None while it is undetermined."""
    if isinstance(judgement.verdict, Undetermined):
        return None
    return messages.document_publication(interchange, 1, judgement, language, revision=0, now=now)


def as_claim_check(publication: Publication, sha256: str) -> Publication:
    """A result too large for a message: the message says where it is."""
    return messages.claim_check(publication, sha256)


def closing_of(
    interchange: Interchange,
    judged: Judged,
    language: Language,
    *,
    revision: int,
    now: dt.datetime,
) -> Closing:
    """How the interchange ends, with the report that says so.

    Settled; or refused when there was nothing readable in it; or quarantined when a document
    needs a human: then its report is provisional.
    """
    quarantined = [j for _, state, j in judged if state is DocumentState.QUARANTINED]
    flow = next((j.flow for _, _, j in judged if j.flow), None)
    cause = None
    if quarantined:
        state = InterchangeState.QUARANTINED
        verdict = quarantined[0].verdict
        cause = verdict.cause if isinstance(verdict, Undetermined) else None
    elif all(_unreadable(j) for _, _, j in judged):
        state = InterchangeState.REFUSED
        cause = next((f.rule for _, _, j in judged for f in j.findings), None)
    else:
        state = InterchangeState.SETTLED
    report, filename = messages.report_publication(
        interchange,
        judged,
        language,
        interface_code=interface_code(interchange.envelope.name),
        flow=flow,
        provisional=bool(quarantined),
        revision=revision,
        now=now,
    )
    return Closing(
        state=state,
        flow=flow,
        revision=revision,
        report=report,
        filename=filename,
        cause=cause,
    )


def _unreadable(judgement: Judgement) -> bool:
    return isinstance(judgement.verdict, Rejected) and any(
        finding.layer in UNREADABLE for finding in judgement.findings
    )


# ---- transactions


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
    now: dt.datetime,
) -> Settled:
    """Write a document's verdict, its result and the events on the way there."""
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
        outgoing.append(_outgoing(interchange, result, 1, "document", BROKER))
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
    conn: Connection, interchange: Interchange, closing: Closing, *, now: dt.datetime
) -> bool:
    """Write the interchange's end and its acknowledgement, once; False if it was there already."""
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
    outgoing.append(_outgoing(interchange, closing.report, 0, "report", BROKER, closing.filename))
    outgoing.append(_outgoing(interchange, back, 0, "report", channel, closing.filename))
    records.add_outbox_many(conn, outgoing)
    return True


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
