"""The journal as it stands at one commit, copied while its writer goes on.

SQLite's backup interface is used inside one read transaction: pages as they were at one commit.
`VACUUM INTO` would be consistent as well, and takes as long (the disk decides); but it is one
statement, which tells nobody how far it is and is not to be interrupted. A reader keeps the
write-ahead log from beginning anew, so it grows meanwhile, by what is written in those seconds.
"""

from __future__ import annotations

import contextlib
import sqlite3
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from gateway.durable import sync_file
from gateway.errors import BackupFailed
from gateway.service.journal.engine import driver, open_reader

Progress = Callable[[str, int, int], None]
"""What is being done, how far it is, and of how much."""

_PAGES = 2_000
"""So many at a time, 8 MB: between them progress is told."""


def copy_journal(source: Path, target: Path, progress: Progress = lambda *_: None) -> None:
    """Copy a journal as it stands at this moment, whoever writes to it; durable, and read through.

    Raises `JournalError` when there is none of this version, `BackupFailed` when it is damaged.
    """
    engine = open_reader(source)
    try:
        with engine.connect() as conn:
            reading = driver(conn)
            # The transaction is open from here on, so that every step sees the same commit; one
            # of its own for each step would begin anew whenever the daemon wrote in between.
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM alembic_version").fetchone()
            copy = sqlite3.connect(target, isolation_level=None)
            try:
                target.chmod(0o600)
                copy.execute("PRAGMA synchronous=OFF")
                reading.backup(
                    copy,
                    pages=_PAGES,
                    progress=lambda _, left, total: progress("journal", total - left, total),
                )
            finally:
                copy.close()
    finally:
        engine.dispose()
    with contextlib.closing(read_only(target)) as copied:
        (answer,) = copied.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise BackupFailed(
            f"The journal {source} is damaged: {' '.join(answer.split())}.",
            remedy="Look at it with edi-gateway doctor; keep the backups there are.",
        )
    sync_file(target, "backup.journal")


def read_only(journal: Path) -> sqlite3.Connection:
    """A copy of a journal that nobody writes to: no log or lock is made beside it."""
    address = f"file:{urllib.parse.quote(str(journal.absolute()))}?mode=ro&immutable=1"
    return sqlite3.connect(address, uri=True, isolation_level=None)
