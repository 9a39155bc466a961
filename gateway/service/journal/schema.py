"""Bringing a journal to this version's tables, and refusing one that must not be touched.

The migrations travel inside the wheel and run when the daemon opens its journal. Alembic is
only loaded when there is something to migrate.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy as sa

from gateway.errors import JournalError

HEAD = "0019"
"""The newest migration. A test compares it with the folder."""

_MIGRATIONS = Path(__file__).parent / "migrations"


def version_of(conn: sa.Connection) -> str | None:
    """The migration a journal stands at; None when it is empty."""
    if not sa.inspect(conn).has_table("alembic_version"):
        return None
    version = conn.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return None if version is None else str(version)


def check_version(conn: sa.Connection, path: Path) -> None:
    """Raise `JournalError` unless the journal has exactly the tables of this version."""
    version = version_of(conn)
    if version != HEAD:
        raise JournalError(
            f"The journal {path} is at version {version or 'none'}; this program knows {HEAD}.",
            remedy="Use the edi-gateway that belongs to the running daemon.",
        )


def upgrade(conn: sa.Connection, path: Path) -> None:
    """Run the migrations that are missing, inside the caller's transaction.

    Raises `JournalError` when a newer gateway wrote the journal.
    """
    version = version_of(conn)
    if version == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = conn
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise JournalError(
            f"The journal {path} was written by a newer gateway: it is at version {version}, "
            f"this program knows versions up to {HEAD}.",
            remedy="Install that newer version again, or restore the backup made before it.",
        )
    command.upgrade(config, "head")
    broken = conn.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise JournalError(
            f"Upgrading the journal {path} would leave a row of {broken[0]} without its "
            f"{broken[2]}; nothing was changed.",
            remedy="Keep this version, and report the fault with a copy of the journal.",
        )


UNDER_RESTORE = b"edi-gateway restore: this state directory is not complete yet.\n"
"""Stands in the journal's place until everything else of a backup is there."""


def refuse_half_restored(path: Path) -> None:
    """Raise `JournalError` where a restore is under way, or was broken off."""
    with path.open("rb") as file:
        if file.read(len(UNDER_RESTORE)) != UNDER_RESTORE:
            return
    raise JournalError(
        f"The state directory {path.parent} is not restored yet, or was restored in part only.",
        remedy="Wait until edi-gateway restore has ended; if it was broken off, remove what is in"
        " the folder and restore again.",
    )


READ_THROUGH_BYTES = 1_000_000_000
"""A journal up to this size is read through at start-up, at some 400 MB a second; a larger one
is trusted until a page is read, so that a restart does not keep partners waiting."""


def check_integrity(raw: sqlite3.Connection, path: Path) -> None:
    """Read every page. Raises `JournalError`, or SQLite's own error, when one is damaged."""
    if path.stat().st_size > READ_THROUGH_BYTES:
        return
    (answer,) = raw.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise damaged(path, " ".join(answer.split()))


def damaged(path: Path, why: str) -> JournalError:
    """The error for a journal that must not be used."""
    return JournalError(
        f"The journal {path} is damaged: {why}.",
        remedy=f"Keep copies of {path.name}* aside, then restore the last backup, or what "
        f"`sqlite3 {path.name} .recover` still finds; payloads in the spool are not touched.",
    )
