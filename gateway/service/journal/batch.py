"""What happens in the journal's threads: tasks run in transactions, each with an outcome.

A batch of tasks shares one transaction and one commit. Nothing here raises: whatever goes wrong
becomes the outcome of the task, or of all the tasks, that it went wrong for.
"""

from __future__ import annotations

import queue
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from twisted.internet.defer import Deferred

from gateway import faults
from gateway.errors import JournalError
from gateway.service.journal.engine import driver, enforce_foreign_keys, keep_in_memory

MAX_BATCH = 200
"""Functions in one commit. More would make the first of them wait for the last."""


class Task(msgspec.Struct, frozen=True, eq=False):
    """A function that wants a transaction, and who waits for it. `name` says what it does.

    `urgent`: somebody stands at the door until this is committed. It writes a few rows.
    """

    name: str
    work: Callable[[sa.Connection], Any]
    deferred: Deferred[Any]
    urgent: bool = False


Outcome = tuple[Task, Any, BaseException | None]
Tasks = queue.SimpleQueue[Task | None]
"""None at the end: no more will come."""


BUSY_SECONDS = 0.010
"""A task that comes so soon after a commit shows that more are on their way."""
GATHER_SECONDS = 0.004
"""So long they are waited for then. A commit costs by the pages it writes, and tasks write to the
same pages: three together cost little more than half of what they cost one by one."""


def take(queued: Tasks, more_to_come: Callable[[], bool] = lambda: False) -> list[Task]:
    """Everything that waits, up to a full batch; empty when the queue was closed.

    Asked when the first is there, `more_to_come` says whether to wait a moment for others. An
    urgent one is waited with no longer: a sender who hears of one file before it sends the next is
    as fast as that.
    """
    tasks: list[Task] = []
    task = queued.get()
    until = time.monotonic() + GATHER_SECONDS if task is not None and more_to_come() else 0.0
    while task is not None:
        tasks.append(task)
        if len(tasks) == MAX_BATCH:
            return tasks
        if task.urgent:
            until = 0.0
        try:
            left = until - time.monotonic()
            task = queued.get(timeout=left) if left > 0.0 else queued.get_nowait()
        except queue.Empty:
            return tasks
    if tasks:
        queued.put(None)  # commit these first, then end
    return tasks


def commit(
    engine: sa.Engine, conn: sa.Connection | None, tasks: Sequence[Task]
) -> tuple[sa.Connection | None, list[Outcome]]:
    """Run the tasks in one transaction: the connection to go on with, and the outcomes."""
    transaction: sa.RootTransaction | None = None
    try:
        if conn is None:
            conn = engine.connect()
            enforce_foreign_keys(conn)
        keep_in_memory(conn, all(task.urgent for task in tasks))
        transaction = conn.begin()
        outcomes = _run_each(conn, tasks)
        if len(outcomes) == 1 and outcomes[0][2] is not None:
            transaction.rollback()
        else:
            with faults.around("journal.commit"):
                transaction.commit()
    except BaseException as error:
        if conn is not None and not _undone(conn, transaction):
            conn.invalidate()
            conn.close()
            conn = None
        return conn, [(task, None, _database_error(task, error)) for task in tasks]
    return conn, outcomes


def _run_each(conn: sa.Connection, tasks: Sequence[Task]) -> list[Outcome]:
    """Run the tasks, undoing only what a failing one did.

    A task that is alone has no savepoint: when it fails, the caller rolls everything back.
    Raises when SQLite gave the whole transaction up, as it does on a full disk or an I/O error:
    what came before is gone then, and what comes after would commit by itself.
    """
    raw = driver(conn)
    shared = len(tasks) > 1
    outcomes: list[Outcome] = []
    for task in tasks:
        if shared:
            raw.execute("SAVEPOINT task")
        try:
            outcomes.append((task, task.work(conn), None))
        except BaseException as error:
            if shared and not raw.in_transaction:
                raise
            if shared:
                raw.execute("ROLLBACK TO task")
            outcomes.append((task, None, _own_error(task, error)))
        else:
            if not raw.in_transaction:
                raise JournalError(f"`{task.name}` ended the transaction it was given.")
        if shared:
            raw.execute("RELEASE task")
    return outcomes


def _undone(conn: sa.Connection, transaction: sa.RootTransaction | None) -> bool:
    """Roll back; False when even that fails, and the connection is beyond use."""
    try:
        if transaction is not None:
            transaction.rollback()
        raw = driver(conn)
        if raw.in_transaction:
            # SQLAlchemy takes a failed COMMIT for the end of the transaction; SQLite does not.
            raw.rollback()
    except BaseException:
        return False
    return True


def read(
    engine: sa.Engine, conn: sa.Connection | None, task: Task
) -> tuple[sa.Connection | None, Outcome]:
    """Run one read: the connection to go on with (None: take another), and the outcome."""
    try:
        conn = conn or engine.connect()
        # Ends with a rollback: an old view of the journal kept open would stop checkpoints.
        with conn.begin() as transaction:
            value = task.work(conn)
            transaction.rollback()
    except BaseException as error:  # it belongs to the task's caller
        outcome = (task, None, _own_error(task, error))
        if conn is not None and outcome[2] is not error:
            conn.invalidate()
            conn.close()
            conn = None
        return conn, outcome
    return conn, (task, value, None)


def _own_error(task: Task, error: BaseException) -> BaseException:
    if isinstance(error, sa.exc.SQLAlchemyError | sqlite3.Error):
        return _database_error(task, error)
    return error


def _database_error(task: Task, error: BaseException) -> JournalError:
    cause = getattr(error, "orig", None) or error
    journal_error = JournalError(
        f"The journal could not {task.name}: {str(cause).rstrip('.')}. Nothing of it was kept.",
        remedy="Free space where paths.state is." if "full" in str(cause) else "",
    )
    journal_error.__cause__ = error
    return journal_error


def answer(outcomes: Sequence[Outcome]) -> None:
    """In the reactor: let every caller go on. One that was cancelled drops its answer."""
    for task, value, error in outcomes:
        if error is None:
            task.deferred.callback(value)
        else:
            task.deferred.errback(error)
