"""Every step of the lifecycle: the only functions that write a state.

The tables of `model.lifecycle` are enforced on each, and each leaves a row in `transitions`. The
statements are built once: SQLAlchemy then finds their compiled form by identity.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import sqlalchemy as sa

from gateway.errors import JournalError
from gateway.model.interchange import Interchange
from gateway.model.lifecycle import (
    DocumentState,
    InterchangeState,
    check_document,
    check_interchange,
)
from gateway.service.journal.claim_records import (
    Delivery,
    add_claim,
    claimed,
    is_over,
    move_claim,
)
from gateway.service.journal.payload_records import add_payload_reference
from gateway.service.journal.ready import Ready
from gateway.service.journal.rows import Receipt, Transition
from gateway.service.journal.tables import documents, interchanges, transitions

# Bound parameters start with b_ so that they never collide with the columns being set.
THE_INTERCHANGE = interchanges.c.id == sa.bindparam("b_id")
THE_DOCUMENT = sa.and_(
    documents.c.interchange_id == sa.bindparam("b_id"),
    documents.c.ordinal == sa.bindparam("b_ordinal"),
)
_ADD_INTERCHANGE = Ready(
    sa.insert(interchanges).inline(),
    [
        *("id", "partner", "name", "transport", "interface_code", "received_at", "sha256", "size"),
        *("environment", "state", "updated_at"),
    ],
)
_ADD_DOCUMENT = sa.insert(documents).inline()
_ADD_TRANSITION = Ready(
    sa.insert(transitions).returning(transitions.c.id),
    ["interchange_id", "ordinal", "old_state", "new_state", "at", "cause"],
)
_INTERCHANGE_STATE = sa.select(interchanges.c.state, interchanges.c.cause).where(THE_INTERCHANGE)
_DOCUMENT_STATE = sa.select(documents.c.state, documents.c.cause).where(THE_DOCUMENT)
# The old state stands in the condition too: on a database with several writers, only one of two
# competing steps then finds its row.
_SET_INTERCHANGE_STATE = (
    sa.update(interchanges)
    .where(THE_INTERCHANGE, interchanges.c.state == sa.bindparam("b_old"))
    .values(
        state=sa.bindparam("b_new"),
        cause=sa.bindparam("b_cause"),
        updated_at=sa.bindparam("b_now"),
    )
)
_SET_DOCUMENT_STATE = (
    sa.update(documents)
    .where(THE_DOCUMENT, documents.c.state == sa.bindparam("b_old"))
    .values(
        state=sa.bindparam("b_new"),
        cause=sa.bindparam("b_cause"),
    )
)
_COUNT_DOCUMENT_IN = (
    sa.update(interchanges)
    .where(THE_INTERCHANGE)
    .values(
        documents_total=interchanges.c.documents_total + 1,
        documents_open=interchanges.c.documents_open + 1,
        updated_at=sa.bindparam("b_now"),
    )
)
_COUNT_DOCUMENT_OUT = (
    sa.update(interchanges)
    .where(THE_INTERCHANGE, interchanges.c.documents_open > 0)
    .values(documents_open=interchanges.c.documents_open - 1)
    .returning(interchanges.c.documents_open)
)
_DROP_DOCUMENT = sa.delete(documents).where(THE_DOCUMENT)
_UNCOUNT_DOCUMENT = (
    sa.update(interchanges)
    .where(THE_INTERCHANGE)
    .values(
        documents_total=interchanges.c.documents_total - 1,
        documents_open=interchanges.c.documents_open - 1,
    )
)


def receive(
    conn: sa.Connection,
    interchange: Interchange,
    *,
    interface_code: str | None,
    claim_key: str,
    now: dt.datetime,
    anew_before: dt.datetime | None = None,
    elsewhere: Callable[[], str | None] = lambda: None,
) -> Receipt:
    """Enter a delivery, once: the same claim again answers the interchange it already made.

    `claim_key` is what the transport knows a delivery by (SFTP: the file's name; AS2: the
    Message-ID); together with the transport it is `known_with`, partner and sha256 it is unique. A
    claim from before `anew_before` whose interchange was acknowledged is no resend any more: it
    moves to the new interchange. `elsewhere` is asked when there is no claim: the interchange that
    this delivery repeats although it came another way.
    """
    envelope = interchange.envelope
    known_with = envelope.transport.known_with.value
    delivery = Delivery(known_with, envelope.partner, claim_key, interchange.sha256)
    known = claimed(conn, delivery)
    if known is not None and not is_over(conn, known, anew_before):
        return Receipt(known.interchange_id, new=False)
    if known is None and (same := elsewhere()) is not None:
        add_claim(conn, delivery, same, now)
        return Receipt(same, new=False)
    _ADD_INTERCHANGE.run(
        conn,
        {
            "id": interchange.id,
            "partner": envelope.partner,
            "name": envelope.name,
            "transport": envelope.transport.value,
            "interface_code": interface_code,
            "received_at": envelope.received_at,
            "sha256": interchange.sha256,
            "size": interchange.size,
            "environment": interchange.environment,
            "state": InterchangeState.RECEIVED,
            "updated_at": now,
        },
    )
    keep = add_claim if known is None else move_claim
    keep(conn, delivery, interchange.id, now)
    add_payload_reference(conn, interchange.sha256, size=interchange.size, now=now)
    step = _write_transition(conn, interchange.id, 0, None, InterchangeState.RECEIVED, now, None)
    return Receipt(interchange.id, new=True, step=step)


def move_interchange(
    conn: sa.Connection,
    id: str,  # noqa: A002 - the word every reader uses for it
    new_state: InterchangeState,
    *,
    cause: str | None,
    now: dt.datetime,
) -> Transition:
    """Take one step of the interchange's lifecycle.

    The row keeps the `cause` of its present state; being acknowledged does not wipe out why it
    was refused. Raises `IllegalTransition` when the table has no such step, `JournalError` when
    there is no such interchange.
    """
    row = conn.execute(_INTERCHANGE_STATE, {"b_id": id}).first()
    if row is None:
        raise missing(id)
    old, old_cause = row
    check_interchange(old, new_state)
    kept = cause or (old_cause if new_state is InterchangeState.ACKNOWLEDGED else None)
    changed = conn.execute(
        _SET_INTERCHANGE_STATE,
        {"b_id": id, "b_old": old, "b_new": new_state, "b_cause": kept, "b_now": now},
    )
    expect_one(changed.rowcount, id)
    return _write_transition(conn, id, 0, old, new_state, now, cause)


def move_document(
    conn: sa.Connection,
    id: str,  # noqa: A002 - the word every reader uses for it
    ordinal: int,
    new_state: DocumentState,
    *,
    cause: str | None,
    now: dt.datetime,
) -> Transition:
    """Take one step of the document's lifecycle; like `move_interchange`."""
    row = conn.execute(_DOCUMENT_STATE, {"b_id": id, "b_ordinal": ordinal}).first()
    if row is None:
        raise missing(id, ordinal)
    old, old_cause = row
    check_document(old, new_state)
    kept = cause or (old_cause if new_state is DocumentState.PUBLISHED else None)
    changed = conn.execute(
        _SET_DOCUMENT_STATE,
        {
            "b_id": id,
            "b_ordinal": ordinal,
            "b_old": old,
            "b_new": new_state,
            "b_cause": kept,
        },
    )
    expect_one(changed.rowcount, id, ordinal)
    return _write_transition(conn, id, ordinal, old, new_state, now, cause)


def add_document(
    conn: sa.Connection,
    interchange_id: str,
    ordinal: int,
    *,
    name: str,
    sha256: str,
    size: int,
    now: dt.datetime,
    position: int | None = None,
    revision: int = 0,
) -> Transition:
    """Enter a document found in the interchange, as extracted, and count it as open.

    `revision`: the number its result will have; not 0 when another had its ordinal before.
    """
    conn.execute(
        _ADD_DOCUMENT,
        {
            "interchange_id": interchange_id,
            "ordinal": ordinal,
            "name": name,
            "sha256": sha256,
            "size": size,
            "state": DocumentState.EXTRACTED,
            "position": position,
            "revision": revision,
        },
    )
    expect_one(
        conn.execute(_COUNT_DOCUMENT_IN, {"b_id": interchange_id, "b_now": now}).rowcount,
        interchange_id,
    )
    return _write_transition(
        conn, interchange_id, ordinal, None, DocumentState.EXTRACTED, now, None
    )


def drop_placeholder(conn: sa.Connection, interchange_id: str) -> None:
    """Forget document 1, which stood for an archive that could not be opened until now.

    Its steps stay in the audit trail; the members take their numbers from 1.
    """
    key = {"b_id": interchange_id, "b_ordinal": 1}
    expect_one(conn.execute(_DROP_DOCUMENT, key).rowcount, interchange_id, 1)
    conn.execute(_UNCOUNT_DOCUMENT, {"b_id": interchange_id})


def document_done(conn: sa.Connection, interchange_id: str) -> int:
    """Count one document as done; how many are still open. Never goes below zero."""
    left = conn.execute(_COUNT_DOCUMENT_OUT, {"b_id": interchange_id}).scalar()
    if left is None:
        raise JournalError(f"Interchange {interchange_id} has no open document to close.")
    return int(left)


def _write_transition(
    conn: sa.Connection,
    interchange_id: str,
    ordinal: int,
    old: InterchangeState | DocumentState | None,
    new: InterchangeState | DocumentState,
    now: dt.datetime,
    cause: str | None,
) -> Transition:
    written = _ADD_TRANSITION.first(
        conn,
        {
            "interchange_id": interchange_id,
            "ordinal": ordinal,
            "old_state": None if old is None else old.value,
            "new_state": new.value,
            "at": now,
            "cause": cause,
        },
    )
    assert written is not None  # what was inserted answers with its number
    return Transition(interchange_id, ordinal, old, new, now, cause, int(written[0]))


def expect_one(changed: int, interchange_id: str, ordinal: int = 0) -> None:
    """Raise `JournalError` unless exactly one row changed: the one that was meant."""
    if changed != 1:
        raise missing(interchange_id, ordinal)


def missing(interchange_id: str, ordinal: int = 0) -> JournalError:
    """The error for an interchange (`ordinal` 0) or a document that is not as expected."""
    what = f"interchange {interchange_id}"
    if ordinal:
        what = f"document {ordinal} of {what}"
    return JournalError(f"The journal has no {what}, or another step was taken meanwhile.")
