"""The journal as it would be found after a power cut, from nothing but the calls that wrote it.

Every write to the journal's files is applied to an image of them; at each fsync of the
write-ahead log SQLite opens a copy of that image and says what is in it. So a commit is known by
what it made true, not by guessing at bytes.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from tests.torture.trace import Call

WAL = "-wal"
Image = Mapping[str, bytes]
"""File name → content: the database and its write-ahead log."""


class Commit(msgspec.Struct, frozen=True):
    """One commit: the writes to the log, the fsync that made them last, and what is new in it.

    What was written may reach the disk from `first_write` on, and is sure to be there only after
    `sync`.
    """

    first_write: Call
    last_write: Call
    sync: Call
    news: frozenset[str]


def received(interchange_id: str) -> str:
    """The fact that the journal holds this interchange."""
    return f"received {interchange_id}"


def written(message_id: str) -> str:
    """The fact that the outbox holds this message."""
    return f"written {message_id}"


def delivered(message_id: str) -> str:
    """The fact that the outbox calls this message delivered."""
    return f"delivered {message_id}"


def commits_of(
    calls: Sequence[Call], journal: str, facts_of: Callable[[Image], set[str]]
) -> list[Commit]:
    """Every commit to the journal at this path, in order, with the facts it added."""
    wal = journal + WAL
    files: dict[str, bytearray] = {journal: bytearray(), wal: bytearray()}
    known: set[str] = set()
    commits: list[Commit] = []
    writes: list[Call] = []
    for call in calls:
        if not call.worked:
            continue
        target = call.target
        if target in files and call.name in {"pwrite64", "ftruncate"}:
            _apply(call, files[target])
            if target == wal and call.name == "pwrite64":
                writes.append(call)
        elif target == wal and call.name in {"fsync", "fdatasync"} and writes:
            facts = facts_of({Path(name).name: bytes(held) for name, held in files.items()})
            commits.append(Commit(writes[0], writes[-1], call, frozenset(facts - known)))
            known |= facts
            writes = []
    return commits


def _apply(call: Call, content: bytearray) -> None:
    if call.name == "ftruncate":
        del content[call.last_number :]
        return
    (data,) = call.strings
    offset = call.last_number
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


def facts_of(image: Image) -> set[str]:
    """What the gateway's journal says: interchanges received, messages written and delivered."""
    with tempfile.TemporaryDirectory(prefix="journal-image-") as folder:
        for name, content in image.items():
            Path(folder, name).write_bytes(content)
        (database,) = (name for name in image if not name.endswith(WAL))
        connection = sqlite3.connect(Path(folder, database))
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if not {"interchanges", "outbox"} <= tables:
                return set()
            facts = {received(id_) for (id_,) in connection.execute("SELECT id FROM interchanges")}
            for id_, state in connection.execute("SELECT message_id, state FROM outbox"):
                facts.add(written(id_))
                if state == "delivered":
                    facts.add(delivered(id_))
            return facts
        finally:
            connection.close()
