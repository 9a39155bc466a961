"""Documents in quarantine, as an operator sees them. Reads only."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa

from gateway.model.lifecycle import DocumentState
from gateway.service.journal.tables import documents, interchanges, transitions

_HERE = documents.c.state == DocumentState.QUARANTINED


class Quarantined(msgspec.Struct, frozen=True):
    """One document in quarantine.

    `sha256` is that of the payload it arrived in, which the spool keeps; `position` its place in
    that payload when this is an archive. `lethal` counts how often it cost a judge.
    """

    interchange_id: str
    ordinal: int
    name: str
    position: int | None
    partner: str
    flow: str | None
    file_name: str
    sha256: str
    received_at: dt.datetime
    since: dt.datetime
    cause: str | None
    attempts: int
    lethal: int


# Grouped in one pass over the steps of each interchange: looking them up document by document
# would take the square of their number when a whole archive waits.
_SINCE = (
    sa.select(
        transitions.c.interchange_id,
        transitions.c.ordinal,
        sa.func.max(transitions.c.at, type_=transitions.c.at.type).label("since"),
    )
    .where(
        transitions.c.interchange_id.in_(sa.select(documents.c.interchange_id).where(_HERE)),
        transitions.c.ordinal > 0,
        transitions.c.new_state == DocumentState.QUARANTINED.value,
    )
    .group_by(transitions.c.interchange_id, transitions.c.ordinal)
    .subquery()
)
_ALL: sa.Select[Any] = (
    sa.select(
        documents.c.interchange_id,
        documents.c.ordinal,
        documents.c.name,
        documents.c.position,
        interchanges.c.partner,
        sa.func.coalesce(documents.c.flow, interchanges.c.flow),
        interchanges.c.name,
        interchanges.c.sha256,
        interchanges.c.received_at,
        sa.func.coalesce(
            _SINCE.c.since, interchanges.c.updated_at, type_=interchanges.c.updated_at.type
        ),
        documents.c.cause,
        documents.c.attempts,
        documents.c.lethal,
    )
    .join(interchanges, interchanges.c.id == documents.c.interchange_id)
    .outerjoin(
        _SINCE,
        sa.and_(
            _SINCE.c.interchange_id == documents.c.interchange_id,
            _SINCE.c.ordinal == documents.c.ordinal,
        ),
    )
    .where(_HERE)
    .order_by(documents.c.interchange_id, documents.c.ordinal)
    .limit(sa.bindparam("b_limit"))
)
_NUMBER = sa.select(sa.func.count()).select_from(documents).where(_HERE)
_OF = (
    sa.select(documents.c.ordinal)
    .where(documents.c.interchange_id == sa.bindparam("b_id"), _HERE)
    .order_by(documents.c.ordinal)
    .limit(sa.bindparam("b_limit"))
)


def quarantined(conn: sa.Connection, *, limit: int) -> list[Quarantined]:
    """Documents in quarantine, those of the oldest interchange first."""
    return [Quarantined(*row) for row in conn.execute(_ALL, {"b_limit": limit})]


def quarantined_number(conn: sa.Connection) -> int:
    """How many documents are in quarantine."""
    return int(conn.execute(_NUMBER).scalar_one())


def quarantined_of(conn: sa.Connection, interchange_id: str, *, limit: int) -> list[int]:
    """Ordinals of the first documents of an interchange that are in quarantine."""
    rows = conn.execute(_OF, {"b_id": interchange_id, "b_limit": limit})
    return [row.ordinal for row in rows]
