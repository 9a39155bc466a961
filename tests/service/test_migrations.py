"""The journal's tables: how a database gets them, and which database is left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from gateway.errors import JournalError
from gateway.service.journal import schema
from gateway.service.journal.engine import open_reader, writer_engine
from gateway.service.journal.tables import metadata


@pytest.fixture
def path(tmp_path: Path) -> Path:
    # A percent sign, because Alembic's settings give it a meaning.
    folder = tmp_path / "state 100%"
    folder.mkdir()
    return folder / "journal.sqlite"


@pytest.fixture
def engine(path: Path) -> Iterator[sa.Engine]:
    made = writer_engine(path)
    yield made
    made.dispose()


def test_gives_exactly_the_tables(engine: sa.Engine, path: Path) -> None:
    """Upgrading an empty database gives what `tables` says: nothing more, nothing less."""
    with engine.begin() as conn:
        schema.upgrade(conn, path)
    with engine.connect() as conn:
        context = MigrationContext.configure(conn, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_gives_exactly_the_statements(engine: sa.Engine, path: Path) -> None:
    """Not a constraint, partial index or autoincrement differs from what `tables` would make."""

    def statements(conn: sa.Connection) -> list[list[str]]:
        rows = conn.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name != 'alembic_version'"
        ).scalars()
        # Alembic writes the constraints of a table in another order, and that is all.
        lines = (re.split(r"[\s,]*[,\n][\s,]*", row.removesuffix("\n)")) for row in rows)
        return sorted(sorted(parts) for parts in lines)

    with engine.begin() as conn:
        schema.upgrade(conn, path)
        migrated = statements(conn)
    fresh = sa.create_engine("sqlite://")
    with fresh.begin() as conn:
        metadata.create_all(conn)
        assert migrated == statements(conn)
    fresh.dispose()


def test_twice(engine: sa.Engine, path: Path) -> None:
    """A journal of this version is left as it is, rows included."""
    with engine.begin() as conn:
        schema.upgrade(conn, path)
        conn.exec_driver_sql("INSERT INTO payloads VALUES ('aa', 1, 1, '2026-01-01 00:00:00')")
    with engine.begin() as conn:
        schema.upgrade(conn, path)
        assert conn.exec_driver_sql("SELECT count(*) FROM payloads").scalar() == 1
        assert schema.version_of(conn) == schema.HEAD


def test_head_is_the_newest_migration() -> None:
    """The version the code asks for is the last of one unbranched line of migrations."""
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_newer_journal_is_refused(engine: sa.Engine, path: Path) -> None:
    """A journal that a newer gateway wrote is not touched; the message says what to do."""
    with engine.begin() as conn:
        schema.upgrade(conn, path)
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with (
        engine.begin() as conn,
        pytest.raises(JournalError, match=r"newer gateway.*9999") as caught,
    ):
        schema.upgrade(conn, path)
    assert "Install that newer version" in caught.value.remedy
    with engine.connect() as conn:
        assert schema.version_of(conn) == "9999"


def test_failing_migration_changes_nothing(
    engine: sa.Engine, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of an upgrade happens or none of it, although SQLite also changes tables in it."""

    def broken(*args: object, **kwargs: object) -> None:
        raise OSError("no space left")

    def attempt() -> None:
        with engine.begin() as conn:
            schema.upgrade(conn, path)

    monkeypatch.setattr("alembic.op.create_index", broken)  # by then there are tables
    with pytest.raises(OSError, match="no space left"):
        attempt()
    with engine.connect() as conn:
        assert sa.inspect(conn).get_table_names() == []
    monkeypatch.undo()
    attempt()


def test_upgrade_that_orphans_rows_is_refused(engine: sa.Engine, path: Path) -> None:
    """Foreign keys are off while tables are rebuilt, so they are checked before the commit."""
    with engine.begin() as conn:
        conn.exec_driver_sql("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        conn.exec_driver_sql("CREATE TABLE children (parent INTEGER REFERENCES parents (id))")
        conn.exec_driver_sql("INSERT INTO children VALUES (1)")
    with (
        pytest.raises(JournalError, match="row of children without its parents"),
        engine.begin() as conn,
    ):
        schema.upgrade(conn, path)
    with engine.connect() as conn:
        assert schema.version_of(conn) is None


class TestReader:
    """What the command line opens."""

    def test_no_journal(self, path: Path) -> None:
        """A journal that is not there is not made by reading it."""
        with pytest.raises(JournalError, match="There is no journal at"):
            open_reader(path)
        assert not path.exists()

    def test_another_version(self, engine: sa.Engine, path: Path) -> None:
        """A command line of another version than the daemon's says so instead of guessing."""
        with engine.begin() as conn:
            schema.upgrade(conn, path)
            conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
        with pytest.raises(JournalError, match="at version 0000"):
            open_reader(path)

    def test_no_database(self, path: Path) -> None:
        """Some other file in its place is an error with its cause."""
        path.write_bytes(b"not a database" * 100)
        with pytest.raises(JournalError, match="cannot be read: file is not a database"):
            open_reader(path)

    @pytest.mark.parametrize("running", [True, False], ids=["daemon up", "daemon down"])
    def test_cannot_write(self, running: bool, engine: sa.Engine, path: Path) -> None:
        """It reads while the daemon writes and after it ended, and never writes."""
        writer = engine.connect()
        with writer.begin():
            schema.upgrade(writer, path)
        if not running:
            writer.close()
        reader = open_reader(path)
        with reader.connect() as conn:
            assert conn.exec_driver_sql("SELECT count(*) FROM interchanges").scalar() == 0
            with pytest.raises(sa.exc.OperationalError, match="readonly"):
                conn.exec_driver_sql("DELETE FROM interchanges")
        reader.dispose()
        writer.close()


def test_portable() -> None:
    """PostgreSQL can make the same tables: nothing in them is SQLite's alone."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    script = "\n".join(
        [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
        + [
            str(CreateIndex(index).compile(dialect=dialect))
            for table in metadata.sorted_tables
            for index in table.indexes
        ]
    )
    assert "id BIGSERIAL" in script
    assert "TIMESTAMP WITH TIME ZONE" in script
    assert "WHERE state = 'pending'" in script
