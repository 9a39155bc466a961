"""What pages read of the journal: in threads of their own, each read for a bounded time.

The daemon's own reader and writer are not asked: a page that takes long must not keep a verdict
waiting. SQLite in WAL mode lets readers read beside its writer; a read that lasts is given up,
because a view kept open would stop checkpoints.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from gateway.errors import JournalError
from gateway.service.journal.engine import driver, reader_engine

T = TypeVar("T")
InThread = Callable[..., Awaitable[Any]]

MOST_SECONDS: Final = 3.0
_STEPS: Final = 20_000
"""Instructions of SQLite's between two looks at the clock: less than a millisecond."""


class PageReader:
    """Reads the journal in `path` by `in_thread`."""

    def __init__(
        self, path: Path, in_thread: InThread, *, most_seconds: float = MOST_SECONDS
    ) -> None:
        self._engine = reader_engine(path)
        self._in_thread = in_thread
        self._most = most_seconds

    async def read(self, name: str, work: Callable[[sa.Connection], T]) -> T:
        """What `work` finds in what is committed now. Raises `JournalError`."""
        found: T = await self._in_thread(self._read, name, work)
        return found

    def _read(self, name: str, work: Callable[[sa.Connection], T]) -> T:
        end = time.monotonic() + self._most
        try:
            with self._engine.connect() as conn:
                driver(conn).set_progress_handler(lambda: time.monotonic() > end, _STEPS)
                return work(conn)
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            if time.monotonic() > end:
                raise JournalError(
                    f"Reading {name} took longer than {self._most:.0f} s, and was given up.",
                    remedy="Ask for less: one partner, a shorter time.",
                ) from error
            raise JournalError(f"The journal could not be read for {name}: {cause}.") from error
