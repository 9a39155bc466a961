"""What judging a document left behind: the judgement, the retries, the numbers of its results."""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa

from gateway.errors import JournalError
from gateway.model.verdict import Accepted, Judgement, verdict_name
from gateway.service.journal.rows import DocumentRow
from gateway.service.journal.steps import THE_DOCUMENT, THE_INTERCHANGE, expect_one, missing
from gateway.service.journal.tables import documents, interchanges

_SET_JUDGEMENT = (
    sa.update(documents)
    .where(THE_DOCUMENT)
    .values(
        {
            name: sa.bindparam(f"b_{name}")
            for name in (
                *("flow", "syntax", "document_type", "profile", "invoice_number", "issue_date"),
                *("seller_id", "buyer_id", "verdict", "judgement"),
            )
        }
    )
)
_SET_FLOW = (
    sa.update(interchanges)
    .where(THE_INTERCHANGE, interchanges.c.flow.is_(None))
    .values(flow=sa.bindparam("b_flow"))
)
_SET_RETRY = (
    sa.update(documents)
    .where(THE_DOCUMENT)
    .values(
        attempts=sa.bindparam("b_attempts"),
        next_attempt_at=sa.bindparam("b_next_attempt_at"),
        cause=sa.bindparam("b_cause"),
        lethal=sa.bindparam("b_lethal"),
    )
)
_NEXT_REPORT = (
    sa.update(interchanges)
    .where(THE_INTERCHANGE)
    .values(report_revision=interchanges.c.report_revision + 1)
    .returning(interchanges.c.report_revision)
)
_NEXT_RESULT = (
    sa.update(documents)
    .where(THE_DOCUMENT)
    .values(revision=documents.c.revision + 1)
    .returning(documents.c.revision)
)

_encode_judgement = msgspec.msgpack.Encoder().encode
decode_judgement = msgspec.msgpack.Decoder(Judgement).decode


def store_judgement(
    conn: sa.Connection, interchange_id: str, ordinal: int, judgement: Judgement
) -> None:
    """Keep what the judge said, but for what the document says: that travels in the outbox.

    The interchange takes its flow from the first of its documents that has one.
    """
    kept = judgement
    if isinstance(judgement.verdict, Accepted):
        verdict = msgspec.structs.replace(judgement.verdict, invoice=b"", message=b"")
        kept = msgspec.structs.replace(judgement, verdict=verdict)
    changed = conn.execute(
        _SET_JUDGEMENT,
        {
            "b_id": interchange_id,
            "b_ordinal": ordinal,
            "b_flow": judgement.flow,
            "b_syntax": judgement.syntax,
            "b_document_type": judgement.document_type,
            "b_profile": judgement.profile,
            "b_invoice_number": judgement.invoice_number,
            "b_issue_date": judgement.issue_date,
            "b_seller_id": judgement.seller_id,
            "b_buyer_id": judgement.buyer_id,
            "b_verdict": verdict_name(judgement.verdict),
            "b_judgement": _encode_judgement(kept),
        },
    )
    expect_one(changed.rowcount, interchange_id, ordinal)
    if judgement.flow is not None:
        conn.execute(_SET_FLOW, {"b_id": interchange_id, "b_flow": judgement.flow})


def load_judgement(row: DocumentRow) -> Judgement:
    """What the judge said, with an empty `invoice`. Raises `JournalError` before it said any."""
    if row.judgement is None:
        raise JournalError(
            f"Document {row.ordinal} of interchange {row.interchange_id} has not been judged yet."
        )
    return decode_judgement(row.judgement)


def set_retry(
    conn: sa.Connection,
    interchange_id: str,
    ordinal: int,
    *,
    attempts: int,
    next_attempt_at: dt.datetime | None,
    cause: str | None,
    lethal: int = 0,
) -> None:
    """Note how often a document was tried, why that failed and when it is tried again.

    `lethal`: how many of those attempts ended the judge.
    """
    changed = conn.execute(
        _SET_RETRY,
        {
            "b_id": interchange_id,
            "b_ordinal": ordinal,
            "b_attempts": attempts,
            "b_next_attempt_at": next_attempt_at,
            "b_cause": cause,
            "b_lethal": lethal,
        },
    )
    expect_one(changed.rowcount, interchange_id, ordinal)


def next_revision(conn: sa.Connection, interchange_id: str, ordinal: int) -> int:
    """The number of the next result of a document (`ordinal` 0: the next report), from 1."""
    if ordinal:
        key = {"b_id": interchange_id, "b_ordinal": ordinal}
        revision = conn.execute(_NEXT_RESULT, key).scalar()
    else:
        revision = conn.execute(_NEXT_REPORT, {"b_id": interchange_id}).scalar()
    if revision is None:
        raise missing(interchange_id, ordinal)
    return int(revision)
