"""Connections to the journal's SQLite file, and what each of them must be told.

SQLite runs in WAL mode with `synchronous=FULL`: a commit is on disk when it returns. There is
one writing connection; it alone checkpoints (SQLite before 3.51.3 can lose a WAL that two
connections reset at once). Readers see the last commit and never hold the writer up.
"""

from __future__ import annotations

import sqlite3
import urllib.parse
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from gateway.errors import JournalError
from gateway.service.journal.schema import check_version, refuse_half_restored

_BUSY_SECONDS = 10.0
_CHECKPOINT_PAGES = 16_000
"""64 MB: most commits write to the same few pages, which a checkpoint then copies but once."""
_WAL_KEPT_BYTES = 64 << 20
_WRITER_CACHE_KB = 32_000
"""What was written a moment ago is changed again when its message was delivered."""

INCREMENTAL = 2
"""`auto_vacuum` of a journal whose empty pages can be cut off, some at a time (SQLite's number)."""

_encode_json = msgspec.json.Encoder().encode


def _dumps(value: Any) -> str:
    return _encode_json(value).decode()


def writer_engine(path: Path) -> sa.Engine:
    """The one engine that writes; every transaction takes the write lock as it begins.

    Foreign keys are off until `enforce_foreign_keys`: a migration may rebuild tables.
    """

    def connect() -> sqlite3.Connection:
        raw = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _set_up_writer(raw, path)
        except BaseException:
            raw.close()
            raise
        return raw

    return _engine(connect, begin="BEGIN IMMEDIATE")


def _set_up_writer(raw: sqlite3.Connection, path: Path) -> None:
    # Only a new file listens, and only before anything is in it; see `purge_records.give_back`.
    raw.execute(f"PRAGMA auto_vacuum={INCREMENTAL}")
    (mode,) = raw.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise JournalError(
            f"The journal {path} cannot use write-ahead logging (SQLite answers {mode!r}).",
            remedy="Put paths.state on a local file system, not on a network share.",
        )
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    raw.execute(f"PRAGMA cache_size=-{_WRITER_CACHE_KB}")
    raw.execute(f"PRAGMA journal_size_limit={_WAL_KEPT_BYTES}")


def reader_engine(path: Path) -> sa.Engine:
    """An engine whose connections cannot write, not even a checkpoint."""
    address = f"file:{urllib.parse.quote(str(path.absolute()))}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            address,
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )

    return _engine(connect, begin="BEGIN")


def _engine(connect: Any, *, begin: str) -> sa.Engine:
    engine = sa.create_engine(
        "sqlite://",
        creator=connect,
        poolclass=sa.pool.NullPool,
        json_serializer=_dumps,
        json_deserializer=msgspec.json.decode,
        hide_parameters=True,  # they hold invoices, and errors go into the log
    )

    def do_begin(connection: Any) -> None:
        connection.driver_connection.execute(begin)

    # The driver's own idea of when a transaction begins is switched off above. An event listener
    # would do as well, but it makes every statement look for listeners: a seventh of its time.
    engine.dialect.do_begin = do_begin  # type: ignore[method-assign,assignment]
    return engine


def enforce_foreign_keys(conn: sa.Connection) -> None:
    """Switch foreign keys on. Only outside a transaction does SQLite listen."""
    driver(conn).execute("PRAGMA foreign_keys=ON")


def keep_in_memory(conn: sa.Connection, short: bool) -> None:
    """Where the next transaction keeps what a savepoint brings back: in memory, or in a file.

    With it goes what statements sort, so only a transaction of `short` ones keeps it in memory;
    the file would be made anew for each savepoint. Only outside a transaction does SQLite listen.
    """
    driver(conn).execute("PRAGMA temp_store=MEMORY" if short else "PRAGMA temp_store=DEFAULT")


def driver(conn: sa.Connection) -> sqlite3.Connection:
    """The driver's connection, for the words SQLAlchemy has no name for."""
    raw = conn.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError(f"the journal writes to SQLite, not to {type(raw).__name__}")
    return raw


def open_reader(path: Path) -> sa.Engine:
    """A read-only engine on an existing journal, for the command line; the daemon may be running.

    Raises `JournalError` when there is none, when it cannot be read, or when another version of
    the gateway wrote it.
    """
    if not path.exists():
        raise JournalError(
            f"There is no journal at {path}.",
            remedy="Check paths.state in the settings; `edi-gateway run` makes the journal.",
        )
    engine = reader_engine(path)
    try:
        refuse_half_restored(path)
        with engine.connect() as conn:
            check_version(conn, path)
    except (OSError, sa.exc.SQLAlchemyError, sqlite3.Error) as error:
        engine.dispose()
        raise JournalError(
            f"The journal {path} cannot be read: {getattr(error, 'orig', None) or error}.",
            remedy="Run this as the user the gateway runs as.",
        ) from error
    return engine
