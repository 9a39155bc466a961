"""A copy of the journal as an older version left it, before this one brings it up to date.

    upgrades/journal-0013-20260901T021500Z.sqlite

Migrations only add, and one that fails changes nothing. The copy is the way back to the older
program, which refuses a journal of a newer one. It is complete once it has its name; the state
directory is locked, so nobody writes meanwhile.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from gateway.durable import UNFINISHED, make_folder, rename, sync_file, sync_folder
from gateway.errors import JournalError
from gateway.service.journal.engine import driver
from gateway.service.journal.schema import HEAD, version_of

FOLDER: Final = "upgrades"
KEPT: Final = 3
"""So many copies stay; a version that disappoints does so soon."""
TELL_SECONDS: Final = 10.0
_PAGES: Final = 2_000
_STEPS: Final = 1_000_000
"""Instructions of SQLite's between two looks at the clock."""

Tell = Callable[[str], None]


def keep_older(conn: sa.Connection, path: Path, tell: Tell) -> Path | None:
    """Copy a journal that is about to be migrated; None when this one is not.

    Raises `JournalError` when no copy can be made: then nothing may be migrated.
    """
    with conn.begin():
        version = version_of(conn)
    if version is None or version >= HEAD:
        return None  # new, or of this version, or refused by `upgrade`
    folder = path.parent / FOLDER
    now = dt.datetime.now(dt.UTC)
    target = folder / f"{path.stem}-{version}-{now:%Y%m%dT%H%M%SZ}.sqlite"
    try:
        _copy(driver(conn), target, tell)
        _thin(folder)
    except (sqlite3.Error, OSError) as error:
        with contextlib.suppress(OSError):
            _sweep(folder)  # on a disk that is full now, for whoever starts the older version again
        raise JournalError(
            f"The journal {path} is of version {version} and cannot be copied to {target} before"
            f" it is brought to version {HEAD}: {error}. Nothing was changed.",
            remedy=f"Free {path.stat().st_size // 1_000_000 + 1:,} MB there; or start the version"
            " that was installed before.",
        ) from error
    return target


@contextlib.contextmanager
def telling(conn: sa.Connection, tell: Tell) -> Iterator[None]:
    """Have it told now and then that the statements in here are still running."""
    with _telling(driver(conn), tell, "The journal is being brought up to date."):
        yield


@contextlib.contextmanager
def _telling(raw: sqlite3.Connection, tell: Tell, words: str) -> Iterator[None]:
    spoke = time.monotonic()

    def look() -> int:
        nonlocal spoke
        if time.monotonic() - spoke >= TELL_SECONDS:
            spoke = time.monotonic()
            tell(words)
        return 0

    raw.set_progress_handler(look, _STEPS)
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)


def _copy(source: sqlite3.Connection, target: Path, tell: Tell) -> None:
    folder = target.parent
    make_folder(folder)
    folder.chmod(0o700)
    _sweep(folder)
    temporary = folder / f"{UNFINISHED}{target.name}"
    spoke = 0.0

    def progress(_: int, left: int, total: int) -> None:
        nonlocal spoke
        if time.monotonic() - spoke >= TELL_SECONDS:
            spoke = time.monotonic()
            done = 100 * (total - left) // max(total, 1)
            tell(f"The journal is copied before it is brought up to date: {done} %.")

    with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as copy:
        temporary.chmod(0o600)
        copy.execute("PRAGMA synchronous=OFF")  # all of it is synced below
        source.backup(copy, pages=_PAGES, progress=progress)
    address = f"file:{urllib.parse.quote(str(temporary.absolute()))}?mode=ro&immutable=1"
    words = "The copy of the journal is read through."
    with (
        contextlib.closing(sqlite3.connect(address, uri=True)) as copied,
        _telling(copied, tell, words),
    ):
        (answer,) = copied.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise sqlite3.DatabaseError(f"the copy is damaged: {' '.join(answer.split())}")
    tell("The copy of the journal is written to the disk.")
    sync_file(temporary, "backup.journal")
    rename(temporary, target, "backup.name")
    sync_folder(folder, "backup.names")


def _sweep(folder: Path) -> None:
    """Remove what a copy left that was broken off."""
    for left in folder.glob(f"{UNFINISHED}*"):
        left.unlink()


def _thin(folder: Path) -> None:
    """Remove all but the newest few."""
    copies = sorted(folder.glob("*.sqlite"), key=lambda each: each.name.rpartition("-")[2])
    for old in copies[:-KEPT]:
        old.unlink()
    if copies[:-KEPT]:
        sync_folder(folder, "backup.removed")
