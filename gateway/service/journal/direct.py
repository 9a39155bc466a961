"""The journal while no daemon runs: its lock is held, and one process writes it, one by one.

For commands that change something whether the gateway runs or not. What they do is the same
handler either way; only who calls it differs.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from twisted.internet.defer import Deferred

from gateway.errors import JournalError
from gateway.service.journal.batch import Outcome, Task, commit, read
from gateway.service.journal.engine import INCREMENTAL, driver, open_reader, writer_engine
from gateway.service.journal.lock import StateLock

T = TypeVar("T")


class DirectJournal:
    """As `Journal`, but at once: what is awaited is done when it returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = StateLock(path.with_name("journal.lock"))
        self._engine: sa.Engine | None = None
        self._conn: sa.Connection | None = None

    def __enter__(self) -> DirectJournal:
        """Take the lock. Raises `StateInUse` while a daemon runs, `JournalError` for no journal."""
        open_reader(self._path).dispose()
        self._lock.acquire()
        self._engine = writer_engine(self._path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._conn is not None:
            with contextlib.suppress(sqlite3.Error):
                driver(self._conn).execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._conn.close()
        if self._engine is not None:
            self._engine.dispose()
        self._lock.release()

    async def write(self, name: str, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in a transaction of its own; it is on disk when this returns."""
        assert self._engine is not None
        task = Task(name, work, Deferred())
        self._conn, (outcome, *_) = commit(self._engine, self._conn, [task])
        value: T = _answer(outcome)
        return value

    async def read(self, name: str, work: Callable[[sa.Connection], T]) -> T:
        """Run `work`, and keep nothing of what it may write."""
        assert self._engine is not None
        self._conn, outcome = read(self._engine, self._conn, Task(name, work, Deferred()))
        value: T = _answer(outcome)
        return value

    def rewrite(self) -> None:
        """Write the file anew, without empty room; from then on it can be shortened by itself.

        Takes as long as copying it, and its size once more of disk. Raises `JournalError`.
        """
        assert self._engine is not None
        size = self._path.stat().st_size
        room = os.statvfs(self._path.parent)
        if room.f_bavail * room.f_frsize < 2 * size:
            raise JournalError(
                f"There is too little room to write {self._path} anew: it takes {2 * size} bytes.",
                remedy="Empty room in it is used again; nothing has to be done.",
            )
        os.environ["SQLITE_TMPDIR"] = str(self._path.parent)  # /tmp may be small, or memory
        self._conn = self._conn or self._engine.connect()
        try:
            raw = driver(self._conn)
            raw.execute(f"PRAGMA auto_vacuum={INCREMENTAL}")
            raw.execute("VACUUM")
        except sqlite3.Error as error:
            raise JournalError(f"{self._path} could not be written anew: {error}.") from error


def _answer(outcome: Outcome) -> Any:
    _, value, error = outcome
    if error is not None:
        raise error
    return value


def at_once(work: Awaitable[T]) -> T:
    """The result of what never has to wait."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as ended:
        result: T = ended.value
        return result
    steps.close()
    raise RuntimeError("This waits for something, and nobody is there to bring it.")


async def in_this_thread(function: Callable[..., T], *args: Any) -> T:
    """As a daemon's `in_thread`."""
    return function(*args)
