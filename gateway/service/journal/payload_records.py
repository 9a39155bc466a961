"""How many interchanges need each file of the spool: the journal's side of its reference count."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from gateway.service.journal.tables import payloads

_THE_PAYLOAD = payloads.c.sha256 == sa.bindparam("b_sha256")
_ADD_REFERENCE = (
    sa.update(payloads)
    .where(_THE_PAYLOAD)
    .values(refs=payloads.c.refs + 1, stored_at=sa.bindparam("b_now"))
)
_ADD_PAYLOAD = sa.insert(payloads).inline()
_RELEASE = (
    sa.update(payloads)
    .where(_THE_PAYLOAD, payloads.c.refs > 0)
    .values(refs=payloads.c.refs - 1)
    .returning(payloads.c.refs)
)
_FORGET = sa.delete(payloads).where(_THE_PAYLOAD)
_REFERENCES = sa.select(payloads.c.refs).where(_THE_PAYLOAD)


def add_payload_reference(conn: sa.Connection, sha256: str, *, size: int, now: dt.datetime) -> None:
    """Say that one more interchange needs this payload of `size` bytes."""
    if conn.execute(_ADD_REFERENCE, {"b_sha256": sha256, "b_now": now}).rowcount == 0:
        row = {"sha256": sha256, "size": size, "refs": 1, "stored_at": now}
        conn.execute(_ADD_PAYLOAD, row)


def release_payload(conn: sa.Connection, sha256: str) -> int:
    """Say that one interchange needs the payload no more; how many still do.

    At 0 the row is gone and the caller may discard the file, once this is committed.
    """
    left = conn.execute(_RELEASE, {"b_sha256": sha256}).scalar()
    if not left:
        conn.execute(_FORGET, {"b_sha256": sha256})
    return int(left or 0)


def payload_references(conn: sa.Connection, sha256: str) -> int:
    """How many interchanges need the payload."""
    return int(conn.execute(_REFERENCES, {"b_sha256": sha256}).scalar() or 0)
