"""How many interchanges need each file of the spool: the journal's side of its reference count.

An interchange needs its payload, and each of its accepted documents the files attached to it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model.verdict import AttachedFile
from gateway.service.journal.ready import Ready
from gateway.service.journal.tables import files, payloads

_THE_PAYLOAD = payloads.c.sha256 == sa.bindparam("b_sha256")


def _reference(insert: Any) -> Any:
    """A new payload, or one more reference to a known one: one statement on either database."""
    new = insert(payloads).inline()
    return new.on_conflict_do_update(
        index_elements=["sha256"],
        set_={"refs": payloads.c.refs + 1, "stored_at": new.excluded.stored_at},
    )


_REFERENCE = ["sha256", "size", "refs", "stored_at"]
_ADD_REFERENCE = {
    "sqlite": Ready(_reference(sqlite.insert), _REFERENCE),
    "postgresql": Ready(_reference(postgresql.insert), _REFERENCE),
}
_RELEASE = (
    sa.update(payloads)
    .where(_THE_PAYLOAD, payloads.c.refs > 0)
    .values(refs=payloads.c.refs - 1)
    .returning(payloads.c.refs)
)
_FILE_KEY = ["interchange_id", "ordinal", "sha256"]
_ADD_FILE = {
    "sqlite": sqlite.insert(files).inline().on_conflict_do_nothing(index_elements=_FILE_KEY),
    "postgresql": postgresql.insert(files)
    .inline()
    .on_conflict_do_nothing(index_elements=_FILE_KEY),
}
_FORGET = sa.delete(payloads).where(_THE_PAYLOAD)
_FILES = (
    sa.select(files.c.sha256, files.c.size)
    .where(
        files.c.interchange_id == sa.bindparam("b_id"),
        files.c.ordinal == sa.bindparam("b_ordinal"),
    )
    .order_by(files.c.sha256)
)
_NAMED = sa.select(payloads.c.sha256).where(
    payloads.c.sha256.in_(sa.bindparam("b_sums", expanding=True))
)
_REFERENCES = sa.select(payloads.c.refs).where(_THE_PAYLOAD)


def add_payload_reference(conn: sa.Connection, sha256: str, *, size: int, now: dt.datetime) -> None:
    """Say that one more interchange needs this payload of `size` bytes."""
    row = {"sha256": sha256, "size": size, "refs": 1, "stored_at": now}
    _ADD_REFERENCE[conn.dialect.name].run(conn, row)


def keep_files(
    conn: sa.Connection,
    interchange_id: str,
    ordinal: int,
    attached: Iterable[AttachedFile],
    now: dt.datetime,
) -> None:
    """Say that a document needs the files that came inside it. Said again, it counts but once."""
    for file in attached:
        row = {
            "interchange_id": interchange_id,
            "ordinal": ordinal,
            "sha256": file.sha256,
            "size": file.size,
        }
        if conn.execute(_ADD_FILE[conn.dialect.name], row).rowcount > 0:
            add_payload_reference(conn, file.sha256, size=file.size, now=now)


def kept_files(conn: sa.Connection, interchange_id: str, ordinal: int) -> list[AttachedFile]:
    """The files that came inside a document, by their sums."""
    key = {"b_id": interchange_id, "b_ordinal": ordinal}
    return [AttachedFile(*row) for row in conn.execute(_FILES, key)]


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


def named_payloads(conn: sa.Connection, sums: Sequence[str]) -> set[str]:
    """Which of these payloads (a few hundred at most) something in the journal needs.

    Whatever names a payload counts it: interchanges, AS2 messages, reports and results beside the
    outbox, documents with their attached files. So this table alone tells.
    """
    return set(conn.execute(_NAMED, {"b_sums": list(sums)}).scalars())
