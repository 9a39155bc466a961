"""The journal as the daemon sees it: `await write(...)`, `await read(...)`.

One thread of its own writes. It takes everything that waits, runs each function inside one
transaction, each in its own savepoint, commits once, and only then lets the callers go on: many
receipts share one fsync, and nobody hears success before the disk has. Another thread reads.

    reactor ── write() ──▶ queue ──▶ writer: BEGIN, f1, f2, …, COMMIT ──▶ reactor: answers
            ── read()  ──▶ queue ──▶ reader: BEGIN, f, ROLLBACK       ──▶ reactor: answer

The threads belong to the journal, not to the reactor's pool: a pool full of slow work must not
keep a receipt from being written.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from twisted.internet.defer import Deferred

from gateway.durable import sync_folder
from gateway.errors import JournalError
from gateway.service.journal.batch import BUSY_SECONDS, Task, Tasks, answer, commit, read, take
from gateway.service.journal.before_upgrade import keep_older, telling
from gateway.service.journal.engine import (
    driver,
    enforce_foreign_keys,
    reader_engine,
    writer_engine,
)
from gateway.service.journal.lock import StateLock
from gateway.service.journal.schema import (
    check_integrity,
    damaged,
    refuse_half_restored,
    upgrade,
)

T = TypeVar("T")


class _Reactor(Protocol):
    def callFromThread(  # noqa: N802 - Twisted's name
        self,
        callable: Callable[..., Any],  # noqa: A002 - Twisted's name too
        *args: Any,
        **kwargs: Any,
    ) -> Any: ...


_Run = Callable[[Tasks, Callable[[], None]], None]


class Journal:
    """The journal in `path`, with the lock file `journal.lock` beside it.

    `work` functions get a connection inside a transaction. They must not commit, must not keep
    the connection, and must not touch the reactor: they run in another thread. What they raise
    reaches their own caller only; an error of the database arrives as `JournalError`.
    """

    def __init__(self, reactor: _Reactor, path: Path) -> None:
        self._reactor = reactor
        self._path = path
        self._lock = StateLock(path.with_name("journal.lock"))
        self._writes: Tasks = queue.SimpleQueue()
        self._reads: Tasks = queue.SimpleQueue()
        self._threads: list[tuple[Tasks, Deferred[None]]] = []
        self._open = False
        self._pending = 0
        self.upgrading: Callable[[str], None] = lambda _: None
        """Hears how far the journal of an older version is, in the writer's thread."""
        self.commits = 0
        self._committed = 0.0

    @property
    def pending(self) -> int:
        """Writes that have not been answered yet."""
        return self._pending

    async def open(self) -> None:
        """Lock the state directory, check and upgrade the journal, start both threads.

        The journal of an older version is copied into `upgrades` before.

        Raises `JournalError` when another daemon holds the lock, the file is damaged, a newer
        gateway wrote it, or it cannot be opened. The journal can then be opened again.
        """
        self._lock.acquire()
        self._writes, self._reads = queue.SimpleQueue(), queue.SimpleQueue()
        try:
            await self._start(self._write_forever, self._writes, "journal-writer")
            await self._start(self._read_forever, self._reads, "journal-reader")
        except BaseException:
            await self.close()
            raise
        self._open = True

    async def write(
        self, name: str, work: Callable[[sa.Connection], T], *, urgent: bool = False
    ) -> T:
        """Run `work` in the next commit; what it returned, once that is on disk.

        `name` is for error messages; `urgent` when a sender waits for it. Raises what `work`
        raised, or `JournalError` when the database failed; either way nothing of it was kept.
        """
        self._pending += 1
        try:
            answered: T = await self._ask(self._writes, Task(name, work, Deferred(), urgent))
            return answered
        finally:
            self._pending -= 1

    async def read(self, name: str, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` on what is committed now; what it returned."""
        answered: T = await self._ask(self._reads, Task(name, work, Deferred()))
        return answered

    async def close(self) -> None:
        """Answer everything that was asked, then let go of the file and of the lock."""
        self._open = False
        # The reader first: the last connection to leave must be the writer's, which checkpoints.
        while self._threads:
            queued, ended = self._threads.pop()
            queued.put(None)
            await ended
        self._lock.release()

    async def _ask(self, queued: Tasks, task: Task) -> Any:
        if not self._open:
            raise JournalError(f"The journal is closed; it cannot {task.name}.")
        # A caller that stops waiting does not stop the work: Deferred drops the late answer.
        queued.put(task)
        return await task.deferred

    async def _start(self, run: _Run, queued: Tasks, name: str) -> None:
        ready: Deferred[None] = Deferred()
        ended: Deferred[None] = Deferred()

        def body() -> None:
            try:
                run(queued, lambda: self._reactor.callFromThread(ready.callback, None))
            except BaseException as error:
                self._reactor.callFromThread(ready.errback, error)
            finally:
                self._reactor.callFromThread(ended.callback, None)

        self._threads.append((queued, ended))
        threading.Thread(target=body, name=name, daemon=True).start()
        await ready

    # --- in the writer thread ---

    def _write_forever(self, queued: Tasks, ready: Callable[[], None]) -> None:
        engine = writer_engine(self._path)
        conn: sa.Connection | None = self._prepare(engine)
        ready()
        while tasks := take(queued, self._busy):
            conn, outcomes = commit(engine, conn, tasks)
            self._committed = time.monotonic()
            self.commits += 1
            self._reactor.callFromThread(answer, outcomes)
        if conn is not None:
            with contextlib.suppress(sqlite3.Error):
                # A log left behind does no harm; without one, copies and the next start are
                # simpler.
                driver(conn).execute("PRAGMA wal_checkpoint(TRUNCATE)")
            conn.close()
        engine.dispose()

    def _busy(self) -> bool:
        return time.monotonic() - self._committed < BUSY_SECONDS

    def _prepare(self, engine: sa.Engine) -> sa.Connection:
        with contextlib.suppress(OSError):  # there is none yet, or SQLite says why not
            refuse_half_restored(self._path)
        try:
            conn = engine.connect()
        except (sa.exc.DatabaseError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            check_integrity(driver(conn), self._path)
            kept = keep_older(conn, self._path, self.upgrading)
            with conn.begin(), telling(conn, self.upgrading):
                upgrade(conn, self._path)
            if kept is not None:
                self.upgrading(f"The journal is up to date; as it was, it is kept in {kept}.")
            enforce_foreign_keys(conn)
            sync_folder(self._path.parent, "journal.made")
        except (sa.exc.DatabaseError, sqlite3.Error) as error:
            conn.close()
            raise self._unusable(error) from error
        except BaseException:
            conn.close()
            raise
        return conn

    def _unusable(self, error: Exception) -> JournalError:
        cause = getattr(error, "orig", None) or error
        if not isinstance(cause, sqlite3.OperationalError):
            return damaged(self._path, str(cause))
        return JournalError(
            f"The journal {self._path} cannot be opened: {cause}.",
            remedy="Make paths.state exist, writable by the user the gateway runs as, with "
            "free space.",
        )

    # --- in the reader thread ---

    def _read_forever(self, queued: Tasks, ready: Callable[[], None]) -> None:
        engine = reader_engine(self._path)
        conn: sa.Connection | None = None
        ready()
        while (task := queued.get()) is not None:
            conn, outcome = read(engine, conn, task)
            self._reactor.callFromThread(answer, [outcome])
        if conn is not None:
            conn.close()
        engine.dispose()
