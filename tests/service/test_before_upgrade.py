"""The journal of an older version is copied before it is migrated; the copy is the way back."""

from __future__ import annotations

import contextlib
import errno
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from gateway.durable import UNFINISHED
from gateway.errors import JournalError
from gateway.service.backup.making import files_of
from gateway.service.journal import Journal, before_upgrade, schema
from gateway.service.journal.before_upgrade import FOLDER, KEPT
from gateway.service.journal.engine import writer_engine
from tests.service.test_migration_data import bring_to, fill

BEFORE = f"{int(schema.HEAD) - 1:04d}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def older(path: Path, version: str = BEFORE) -> None:
    """A journal of that version, with rows in every table."""
    engine = writer_engine(path)
    bring_to(engine, path, version)
    fill(engine)
    engine.dispose()


def contents(path: Path) -> dict[str, list[Any]]:
    """Every row of every table."""
    with contextlib.closing(sqlite3.connect(path)) as conn:
        tables = conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: conn.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in tables}


def version_in(path: Path) -> str:
    """The migration a journal stands at."""
    with contextlib.closing(sqlite3.connect(path)) as conn:
        (version,) = conn.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(version)


def copies(path: Path) -> list[Path]:
    """What is kept of earlier versions."""
    return sorted((path.parent / FOLDER).glob("*"))


async def opened(path: Path) -> list[str]:
    """Open it, as the daemon does, and close it; what it said of an upgrade."""
    said: list[str] = []
    journal = Journal(reactor, path)
    journal.upgrading = said.append
    await journal.open()
    await journal.close()
    return said


@pytest.mark.parametrize("version", ["0001", BEFORE])
@ensureDeferred
async def test_what_an_older_version_wrote_is_kept_as_it_was(path: Path, version: str) -> None:
    """Row for row, for nobody else to read; the journal itself is of this version then."""
    older(path, version)
    before = contents(path)
    said = await opened(path)
    (copy,) = copies(path)
    assert copy.name.startswith(f"journal-{version}-")
    assert version_in(copy) == version
    assert contents(copy) == before
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.parent.stat().st_mode & 0o777 == 0o700
    assert version_in(path) == schema.HEAD
    assert str(copy) in said[-1]


@ensureDeferred
async def test_what_a_crash_left_in_the_write_ahead_log_is_in_the_copy(
    path: Path, tmp_path: Path
) -> None:
    """The older gateway was killed, and nobody has brought its log into the file yet."""
    living = tmp_path / "living" / path.name
    living.parent.mkdir()
    engine = writer_engine(living)
    bring_to(engine, living, BEFORE)
    conn = engine.connect()
    with conn.begin():
        conn.execute(sa.text("CREATE TABLE last_words (said TEXT)"))
        conn.execute(sa.text("INSERT INTO last_words VALUES ('received')"))
    for each in living.parent.glob("journal.sqlite*"):
        shutil.copyfile(each, path.parent / each.name)
    conn.close()
    engine.dispose()
    assert (path.parent / f"{path.name}-wal").stat().st_size > 0
    await opened(path)
    (copy,) = copies(path)
    assert contents(copy)["last_words"] == [("received",)]


@ensureDeferred
async def test_a_journal_of_this_version_and_a_new_one_are_not_copied(path: Path) -> None:
    """There is nothing to go back to."""
    assert await opened(path) == []
    assert await opened(path) == []
    assert copies(path) == []


@ensureDeferred
async def test_each_step_that_may_take_long_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systemd ends a start of which it has not heard for a while; of a large journal each may."""
    monkeypatch.setattr(before_upgrade, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(before_upgrade, "_STEPS", 100)
    older(path)
    said = await opened(path)
    for words in (
        "The journal is copied before it is brought up to date: 100 %.",
        "The copy of the journal is read through.",
        "The copy of the journal is written to the disk.",
        "The journal is being brought up to date.",
    ):
        assert words in said


@ensureDeferred
async def test_the_last_few_are_kept(path: Path) -> None:
    """By when they were made, whatever version they are of; what was broken off goes as well."""
    older(path)
    folder = path.parent / FOLDER
    folder.mkdir()
    names = [f"journal-{9 - n:04d}-2026010{n}T000000Z.sqlite" for n in range(1, KEPT + 2)]
    for name in [*names, f"{UNFINISHED}journal-0009-20260101T000000Z.sqlite"]:
        (folder / name).write_bytes(b"")
    await opened(path)
    found = {each.name for each in copies(path)}
    assert len(found) == KEPT
    assert set(names[-(KEPT - 1) :]) < found


@ensureDeferred
async def test_without_a_copy_nothing_is_migrated(path: Path) -> None:
    """The error says what is wrong and what to do; the older program still finds its journal."""
    older(path)
    before = contents(path)
    (path.parent / FOLDER).write_text("in the way")
    with pytest.raises(JournalError, match="cannot be copied") as refused:
        await opened(path)
    assert "Free" in str(refused.value)
    assert version_in(path) == BEFORE
    assert contents(path) == before


@ensureDeferred
async def test_a_copy_that_fails_takes_no_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full; the older program is started again, and would never clear it away."""
    older(path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(before_upgrade, "sync_file", full)
    with pytest.raises(JournalError, match="No space left"):
        await opened(path)
    assert copies(path) == []
    assert version_in(path) == BEFORE


@ensureDeferred
async def test_a_newer_journal_is_refused_and_not_copied(path: Path) -> None:
    """An older program has no business there."""
    older(path)
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(JournalError, match="newer gateway"):
        await opened(path)
    assert copies(path) == []


@ensureDeferred
async def test_backups_do_not_take_the_copies(path: Path) -> None:
    """Each would be as large as the journal, every night again."""
    older(path)
    await opened(path)
    (path.parent / "keys").mkdir()
    (path.parent / "keys" / "a_key").write_text("secret")
    assert [each.name for each in files_of(path.parent)] == ["a_key"]
