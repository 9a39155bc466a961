"""What became of the files in `out/`: fetched by their partner, or removed because of their age."""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa

from gateway.service.journal.tables import outbox


class Left(msgspec.Struct, frozen=True):
    """A file that left `out/`: whose it was, and whether its partner ever fetched it."""

    interchange: str
    flow: str
    fetched: bool


# As the partial index ix_outbox_filename has it.
_FILE = (
    sa.select(outbox.c.id, outbox.c.interchange_id, outbox.c.headers, outbox.c.fetched_at)
    .where(
        outbox.c.partner == sa.bindparam("b_partner"),
        outbox.c.filename == sa.bindparam("b_name"),
        sa.text("destination <> 'broker'"),
    )
    .order_by(outbox.c.id.desc())
    .limit(1)
)
_THE_ROW = outbox.c.id == sa.bindparam("b_id")


def note_fetched(conn: sa.Connection, partner: str, name: str, now: dt.datetime) -> Left | None:
    """The partner has read this file to its end; None when we know of no such file."""
    found = conn.execute(_FILE, {"b_partner": partner, "b_name": name}).first()
    if found is None:
        return None
    conn.execute(
        sa.update(outbox).where(_THE_ROW, outbox.c.fetched_at.is_(None)).values(fetched_at=now),
        {"b_id": found.id},
    )
    return Left(found.interchange_id, str(found.headers.get("flow")), True)


def note_expired(conn: sa.Connection, partner: str, name: str, now: dt.datetime) -> Left | None:
    """The file has lain there long enough; None when we know of no such file."""
    found = conn.execute(_FILE, {"b_partner": partner, "b_name": name}).first()
    if found is None:
        return None
    conn.execute(sa.update(outbox).where(_THE_ROW).values(expired_at=now), {"b_id": found.id})
    fetched = found.fetched_at is not None
    return Left(found.interchange_id, str(found.headers.get("flow")), fetched)
