"""What people did: plain functions on a connection. A row is written before anything is done."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec
import sqlalchemy as sa

from gateway.service.journal.tables import audit


class Outcome(StrEnum):
    """How it ended. `begun`: it is under way, or a crash cut it short."""

    BEGUN = "begun"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """One thing somebody did, or asked for: one row of `audit`.

    `via`: by which door; `peer`: from which address. `said`: what was answered, in words.
    """

    at: dt.datetime
    by: str
    via: str
    peer: str
    action: str
    subject: str
    interchange_id: str | None = None
    outcome: Outcome = Outcome.BEGUN
    said: str = ""
    ended_at: dt.datetime | None = None
    id: int = 0


_FIELDS = tuple(name for name in Deed.__struct_fields__ if name != "id")
_ALL = sa.select(*(audit.c[name] for name in Deed.__struct_fields__)).order_by(audit.c.id.desc())


def begin(conn: sa.Connection, deed: Deed) -> int:
    """Write it down; its number."""
    row = {name: getattr(deed, name) for name in _FIELDS}
    added = conn.execute(sa.insert(audit), row)
    assert added.inserted_primary_key is not None
    return int(added.inserted_primary_key[0])


def end(conn: sa.Connection, id_: int, outcome: Outcome, said: str, now: dt.datetime) -> bool:
    """How it ended; False when nothing of that number is under way."""
    under_way = sa.and_(audit.c.id == id_, audit.c.outcome == Outcome.BEGUN)
    changed = conn.execute(
        sa.update(audit).where(under_way).values(outcome=outcome, said=said, ended_at=now)
    )
    return changed.rowcount == 1


def deeds(
    conn: sa.Connection,
    *,
    limit: int,
    by: str = "",
    interchange_id: str = "",
    before: int | None = None,
) -> list[Deed]:
    """The newest; `by` somebody, about an interchange, or before the one of this number."""
    query = _ALL.limit(limit)
    if by:
        query = query.where(audit.c.by == by)
    if interchange_id:
        query = query.where(audit.c.interchange_id == interchange_id)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [
        msgspec.structs.replace(Deed(**row._mapping), outcome=Outcome(row.outcome))
        for row in conn.execute(query)
    ]
