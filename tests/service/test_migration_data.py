"""A journal of each earlier version, full of rows, is brought to this one: nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from gateway.service.journal import records, schema
from gateway.service.journal.engine import writer_engine

VERSIONS = [f"{number:04d}" for number in range(1, int(schema.HEAD))]
MOMENT = "2026-03-01 08:00:00.000000"
WORDS = {
    ("interchanges", "state"): "acknowledged",
    ("interchanges", "environment"): "production",
    ("documents", "state"): "published",
    ("documents", "verdict"): "accepted",
    ("outbox", "state"): "delivered",
    ("outbox", "destination"): "broker",
    ("transitions", "old_state"): "accepted",
    ("transitions", "new_state"): "published",
}
"""What may not be any word."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def engine(path: Path) -> Iterator[sa.Engine]:
    made = writer_engine(path)
    yield made
    made.dispose()


def bring_to(engine: sa.Engine, path: Path, version: str) -> None:
    """An empty journal, as the gateway of that version made it."""
    upgrade = command.upgrade
    with engine.begin() as conn, pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "upgrade", lambda config, _: upgrade(config, version))
        schema.upgrade(conn, path)


def fill(engine: sa.Engine) -> dict[str, dict[str, Any]]:
    """Two rows into every table; the second of each, by table."""
    tables = sa.MetaData()
    tables.reflect(engine)
    rows: dict[str, dict[str, Any]] = {}
    with engine.begin() as conn:
        for number in (1, 2):
            for table in tables.sorted_tables:
                if table.name != "alembic_version":
                    row = a_row(table, number, rows)
                    marks = ", ".join("?" * len(row))
                    columns = ", ".join(f'"{name}"' for name in row)
                    conn.exec_driver_sql(
                        f"INSERT INTO {table.name} ({columns}) VALUES ({marks})",
                        tuple(row.values()),
                    )
                    rows[table.name] = row
    return rows


def a_row(table: sa.Table, number: int, rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Every column has a value; it refers to the newest rows of other tables."""
    row: dict[str, Any] = {}
    for column in table.columns:
        foreign = next(iter(column.foreign_keys), None)
        kind = column.type
        if foreign is not None:
            row[column.name] = rows[foreign.column.table.name][foreign.column.name]
        elif (table.name, column.name) in WORDS:
            row[column.name] = WORDS[table.name, column.name]
        elif column.name in ("at", "since", "until") or column.name.endswith(("_at", "_since")):
            row[column.name] = MOMENT
        elif isinstance(kind, sa.Date):
            row[column.name] = MOMENT[:10]
        elif isinstance(kind, sa.LargeBinary):
            row[column.name] = b"bytes %d" % number
        elif isinstance(kind, sa.JSON):
            row[column.name] = "{}"
        elif isinstance(kind, sa.Boolean):
            row[column.name] = 1
        elif isinstance(kind, sa.Numeric | sa.Integer):
            row[column.name] = number
        else:
            row[column.name] = f"{column.name}-{number}"
    return row


@pytest.mark.parametrize("version", VERSIONS)
def test_every_row_survives_the_upgrade(engine: sa.Engine, path: Path, version: str) -> None:
    """Each table that is still there has its rows, and each column of them its value."""
    bring_to(engine, path, version)
    before = contents(engine, fill(engine).keys())
    with engine.begin() as conn:
        schema.upgrade(conn, path)
        assert schema.version_of(conn) == schema.HEAD
    after = contents(engine, before.keys())
    for name, rows in before.items():
        assert len(after[name]) == len(rows) == 2, name
        for was in rows:
            same = [now for now in after[name] if was.items() <= now.items()]
            assert len(same) == 1, (name, was, after[name])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_code_reads_what_was_upgraded(engine: sa.Engine, path: Path, version: str) -> None:
    """Interchanges with their documents, steps and messages, by the queries that are used."""
    bring_to(engine, path, version)
    fill(engine)
    with engine.begin() as conn:
        schema.upgrade(conn, path)
    with engine.connect() as conn:
        rows = records.list_interchanges(conn)
        assert len(rows) == 2
        newest = next(row for row in rows if row.id == "id-2")
        assert newest.state == "acknowledged"
        assert [row.state for row in records.documents_of(conn, newest.id)] == ["published"]
        assert [row.message_id for row in records.outbox_of(conn, newest.id)] == ["message_id-2"]
        assert len(records.transitions_of(conn, newest.id)) == 1


def contents(engine: sa.Engine, tables: Any) -> dict[str, list[dict[str, Any]]]:
    """Table → its rows."""
    with engine.connect() as conn:
        return {
            name: [dict(row._mapping) for row in conn.exec_driver_sql(f"SELECT * FROM {name}")]
            for name in tables
        }
