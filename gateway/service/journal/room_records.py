"""Empty room in the journal's file: how much there is, and giving it back.

Moving pages costs by their number, so it is done some at a time, between other transactions. A file
that an earlier version made cannot be shortened so: its empty pages are used again, and it keeps
its size until it is written anew while the gateway is stopped, which takes as long as copying it.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from gateway.service.journal.engine import INCREMENTAL, driver


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What of the journal's file is empty, in bytes. `gives_back`: whether it can be cut off."""

    empty: int
    gives_back: bool


def give_back(conn: sa.Connection, pages: int) -> Room:
    """Move so many pages at the end of the file into empty ones, and cut the end off."""
    raw = driver(conn)
    (kind,) = raw.execute("PRAGMA auto_vacuum").fetchone()
    if kind == INCREMENTAL:
        for _ in range(pages):  # the driver takes one step for each statement, and so one page
            raw.execute("PRAGMA incremental_vacuum(1)").fetchall()
    (empty,) = raw.execute("PRAGMA freelist_count").fetchone()
    (size,) = raw.execute("PRAGMA page_size").fetchone()
    return Room(empty=empty * size, gives_back=kind == INCREMENTAL)
