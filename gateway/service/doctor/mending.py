"""What is safe to mend: counts that can be counted anew, claims of nothing, files of nobody.

Nothing is mended that somebody may still need, and no state is changed. A running gateway does it
itself (`Mender`), as the only one who writes; on one that is stopped its lock is taken meanwhile.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog

from gateway.errors import SpoolError, SpoolHeld
from gateway.service.control import Handler
from gateway.service.doctor.folder_checks import leftovers, open_keys
from gateway.service.intake import InThread
from gateway.service.journal import Journal, open_reader
from gateway.service.journal.direct import DirectJournal, at_once, in_this_thread
from gateway.service.journal.doctor_records import (
    Miscounted,
    Uncounted,
    WrongNumbers,
    claims_of_nobody,
    forget_claims,
    miscounted,
    set_counts,
    set_numbers,
    uncounted,
    wrong_numbers,
)
from gateway.service.spool_sweep import Sweeper, Swept
from gateway.spool import Spool

_PRIVATE = 0o700
_ALL = -1


class Wrong(msgspec.Struct, frozen=True):
    """What of a journal is to be mended. `sizes`: of unknown payloads that the spool has whole."""

    counts: list[Miscounted]
    unknown: list[Uncounted]
    sizes: dict[str, int]
    numbers: list[WrongNumbers]
    claims: bool


class Mender:
    """Mends a gateway that runs; `handlers` is what `Control` wants.

    The journal in `path` is looked through on a connection of its own, in a thread: that takes
    seconds for each 100,000 files, and nobody has to wait for it.
    """

    def __init__(
        self,
        journal: Journal | DirectJournal,
        *,
        path: Path,
        spool: Spool,
        sweeper: Sweeper,
        in_thread: InThread,
        log: Any,
    ) -> None:
        self._journal = journal
        self._path = path
        self._spool = spool
        self._sweeper = sweeper
        self._in_thread = in_thread
        self._log = log

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {"doctor.mend": self.mend}

    async def mend(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Mend what is safe to mend; `done` says what that was, in words."""
        wrong: Wrong = await self._in_thread(look, self._path, self._spool)
        now = dt.datetime.now(dt.UTC)
        done = await self._journal.write("doctor.mend", lambda conn: mend_journal(conn, wrong, now))
        if not self._sweeper.keeps_all:
            try:
                done += _swept_words(await self._sweeper.sweep())
            except SpoolHeld as error:
                done.append(f"Payloads of nobody stay: {error}")
        self._log.info("mended", done=done, by=arguments.get("by", ""))
        return {"done": done}


def mend_stopped(state: Path, *, orphan_hours: float) -> list[str]:
    """Mend a state directory nobody works on; what was done, in words.

    Raises `StateInUse` when a gateway works there after all, `JournalError` or `SpoolError`.
    """
    spool = Spool(state / "spool")
    with DirectJournal(state / "journal.sqlite") as journal:
        left = leftovers(state, running=False, now=time.time())
        spool.prepare()  # as a start does: its folders, and nothing half-written
        parts: dict[str, Any] = {"journal": journal, "spool": spool, "in_thread": in_this_thread}
        silent = structlog.wrap_logger(structlog.testing.ReturnLogger(), processors=[])
        sweeper = Sweeper(None, **parts, log=silent, keep_hours=orphan_hours)
        mender = Mender(**parts, path=state / "journal.sqlite", sweeper=sweeper, log=silent)
        done: list[str] = at_once(mender.mend({}))["done"]
        for path in left:
            path.unlink(missing_ok=True)
    if left:
        done.append(f"Removed {_many(len(left), 'half-written file')}.")
    return done


def mend_folders(state: Path) -> list[str]:
    """Make private what must be private, whether a gateway runs or not."""
    done = []
    if state.stat().st_mode & 0o077:
        state.chmod(_PRIVATE)
        done.append(f"Closed {state} to others.")
    for key in open_keys(state):
        key.chmod(0o600)
        done.append(f"Closed {key} to others.")
    return done


def look(path: Path, spool: Spool) -> Wrong:
    """Look through the journal, and for payloads it does not count. Blocks for a while."""
    engine = open_reader(path)
    try:
        with engine.connect() as conn:
            counts, unknown = miscounted(conn, _ALL), uncounted(conn, _ALL)
            numbers, claims = wrong_numbers(conn, _ALL), claims_of_nobody(conn, 1)
    finally:
        engine.dispose()
    sizes = {}
    for each in unknown:
        with contextlib.suppress(SpoolError):  # it is not there, or not whole
            sizes[each.sha256] = spool.verify(each.sha256)
    return Wrong(counts, unknown, sizes, numbers, bool(claims))


def mend_journal(conn: sa.Connection, wrong: Wrong, now: dt.datetime) -> list[str]:
    """What is mended in the journal, in the caller's transaction; in words."""
    counted = set_counts(conn, wrong.counts, wrong.unknown, wrong.sizes, now)
    words = {
        ("Counted anew what needs {}.", "payload"): counted,
        ("Counted anew the documents of {}.", "interchange"): set_numbers(conn, wrong.numbers),
        ("Removed {} of no interchange.", "claim"): forget_claims(conn) if wrong.claims else 0,
    }
    return [word.format(_many(number, of)) for (word, of), number in words.items() if number]


def _swept_words(swept: Swept) -> list[str]:
    if not swept.files:
        return []
    return [f"Removed {_many(swept.files, 'payload')} of nobody, {swept.size / 1e6:,.1f} MB."]


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
