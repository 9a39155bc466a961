"""Taking back what was said of an interchange, so that it is judged again.

One transaction, whatever the archive holds: were it several, a crash between two of them would
leave a report that mixes old verdicts and new ones. So the documents move in a few statements,
not one by one.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from gateway.model.lifecycle import DocumentState, InterchangeState, check_document
from gateway.service.journal.rows import Transition
from gateway.service.journal.steps import THE_DOCUMENT, THE_INTERCHANGE, move_interchange
from gateway.service.journal.tables import documents, interchanges, transitions

_B_ID: sa.BindParameter[str] = sa.bindparam("b_id")
_SAID = sa.and_(documents.c.interchange_id == _B_ID, documents.c.state == DocumentState.PUBLISHED)
_NOTE_STEPS = sa.insert(transitions).from_select(
    ["interchange_id", "ordinal", "old_state", "new_state", "at", "cause"],
    sa.select(
        documents.c.interchange_id,
        documents.c.ordinal,
        sa.literal(DocumentState.PUBLISHED.value),
        sa.literal(DocumentState.EXTRACTED.value),
        sa.bindparam("b_now", type_=transitions.c.at.type),
        sa.bindparam("b_cause"),
    )
    .where(_SAID)
    .order_by(documents.c.ordinal),
)
_LAST_STEP = sa.select(sa.func.coalesce(sa.func.max(transitions.c.id), 0))
_STEPS_SINCE = (
    sa.select(transitions.c.id, transitions.c.ordinal)
    .where(
        transitions.c.interchange_id == _B_ID,
        transitions.c.id > sa.bindparam("b_last"),
    )
    .order_by(transitions.c.id)
)
_FORGET = (
    sa.update(documents)
    .where(_SAID)
    .values(
        state=DocumentState.EXTRACTED,
        verdict=None,
        judgement=None,
        cause=sa.bindparam("b_cause"),
        attempts=0,
        next_attempt_at=None,
        lethal=0,
        revision=documents.c.revision + 1,
    )
)
_REOPEN = (
    sa.update(interchanges)
    .where(THE_INTERCHANGE)
    .values(
        rules_on=sa.bindparam("b_rules_on"),
        documents_open=interchanges.c.documents_open + sa.bindparam("b_documents"),
    )
)
_FORGOTTEN = sa.select(sa.func.count()).where(
    THE_DOCUMENT,
    documents.c.state == DocumentState.EXTRACTED,
    documents.c.judgement.is_(None),
)


def take_back(
    conn: sa.Connection,
    interchange_id: str,
    *,
    rules_on: dt.date | None,
    cause: str,
    now: dt.datetime,
) -> list[Transition]:
    """Open an acknowledged interchange again, every published document without its verdict.

    `rules_on`: the day whose rules judge it now; None: that of its receipt. The next result of a
    document is a new revision. Documents that an operator discarded stay so. Returns the steps
    taken, those of the documents first.
    """
    old, new = DocumentState.PUBLISHED, DocumentState.EXTRACTED
    check_document(old, new)
    last = conn.execute(_LAST_STEP).scalar_one()
    conn.execute(_NOTE_STEPS, {"b_id": interchange_id, "b_now": now, "b_cause": cause})
    noted = conn.execute(_STEPS_SINCE, {"b_id": interchange_id, "b_last": last}).all()
    steps = [
        Transition(interchange_id, ordinal, old, new, now, cause, id_) for id_, ordinal in noted
    ]
    conn.execute(_FORGET, {"b_id": interchange_id, "b_cause": cause})
    conn.execute(
        _REOPEN, {"b_id": interchange_id, "b_rules_on": rules_on, "b_documents": len(steps)}
    )
    opened = InterchangeState.OPENED
    steps.append(move_interchange(conn, interchange_id, opened, cause=cause, now=now))
    return steps


def forgotten(conn: sa.Connection, interchange_id: str, ordinal: int) -> bool:
    """Whether a document waits to be judged and nothing is kept of what was said of it."""
    key = {"b_id": interchange_id, "b_ordinal": ordinal}
    return bool(conn.execute(_FORGOTTEN, key).scalar())
