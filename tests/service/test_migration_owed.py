"""Debts of an earlier journal: who is owed, and since when, is known after the upgrade."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from gateway.service.journal import given_records, schema
from gateway.service.journal.engine import writer_engine


def test_debts_survive_the_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Partner and age come from what the journal says of the interchange and of the debt."""
    path = tmp_path / "journal.sqlite"
    engine = writer_engine(path)
    upgrade = command.upgrade
    with engine.begin() as conn, monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", lambda config, _: upgrade(config, "0009"))
        schema.upgrade(conn, path)
    with engine.begin() as conn:
        for id_, partner in (("a", "acme"), ("b", "other")):
            conn.exec_driver_sql(
                "INSERT INTO interchanges (id, partner, name, transport, received_at, sha256, size,"
                " state, documents_total, documents_open, report_revision, updated_at)"
                " VALUES (?, ?, 'n', 'sftp', '2026-03-01 08:00:00.000000', '', 1, 'acknowledged',"
                " 1, 0, 1, '2026-03-01 08:00:00.000000')",
                (id_, partner),
            )
        conn.exec_driver_sql(
            "INSERT INTO statuses_owed VALUES ('b', '2026-03-01 09:00:00.000000', 3,"
            " '2026-03-01 10:00:00.000000', 'why')"
        )
    with engine.begin() as conn:
        schema.upgrade(conn, path)
    with engine.connect() as conn:
        owed = given_records.owed_of(conn, "b")
        assert owed is not None
        assert (owed.partner, owed.attempts, owed.cause) == ("other", 3, "why")
        assert owed.waiting_since == owed.since
        assert owed.since.hour == 9
        assert given_records.partners_owed(conn) == ["other"]
        assert given_records.owed_of(conn, "a") is None
        assert not sa.inspect(conn).has_table("owed_before")
    engine.dispose()
