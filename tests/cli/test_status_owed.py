"""What `status` and `show` say of statuses that are owed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from gateway.cli.main import main
from gateway.model.lifecycle import InterchangeState
from gateway.service.journal import Journal, given_records, records
from gateway.service.status_pages import without_partner
from tests.service.test_outbox import NOW, interchange, settled

ONE = interchange(1)


@async_yield_fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """An interchange whose report has left."""
    journal = Journal(reactor, tmp_path / "journal.sqlite")
    await journal.open()
    await settled(journal, 1)

    def write(conn: Any) -> None:
        rows = records.outbox_of(conn, ONE.id)
        records.mark_delivered(conn, [row.id for row in rows], NOW)
        records.move_interchange(conn, ONE.id, InterchangeState.ACKNOWLEDGED, cause=None, now=NOW)

    await journal.write("t", write)
    yield journal
    await journal.close()


async def said(tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code and standard output of a command."""
    code = await deferToThread(main, [*words, "--state-dir", str(tmp_path)])
    return code, capsys.readouterr().out


@ensureDeferred
async def test_statuses_owed_for_a_day_are_late(
    journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether they were attempted or not; on their day they are no matter for anybody."""
    now = dt.datetime.now(dt.UTC)
    await journal.write("t", lambda conn: given_records.owe(conn, ONE.id, "acme", now))
    code, text = await said(tmp_path, capsys, "status", "--json")
    assert code == 0
    assert json.loads(text)["statuses_late"] == json.loads(text)["late"] == []

    def older(conn: Any) -> None:
        conn.exec_driver_sql("DELETE FROM statuses_owed")
        given_records.owe(conn, ONE.id, "acme", now - dt.timedelta(hours=25))

    await journal.write("t", older)
    code, text = await said(tmp_path, capsys, "status", "--json")
    assert code == 1
    assert json.loads(text)["statuses_late"] == json.loads(text)["late"] == [ONE.id]
    assert json.loads(text)["statuses_not_sent"] == []
    code, text = await said(tmp_path, capsys, "status")
    assert code == 1
    assert "1 acknowledgement is late" in text
    assert "1 interchange is owed statuses (CDAR) for more than 24 hours" in text


@ensureDeferred
async def test_a_partner_that_is_gone_is_told_of_with_what_to_do(
    journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By `status` and by `show`."""
    now = dt.datetime.now(dt.UTC)

    def fail(conn: Any) -> None:
        given_records.owe(conn, ONE.id, "acme", now)
        owed = given_records.owed_of(conn, ONE.id)
        assert owed is not None
        given_records.owed_later(conn, owed, without_partner("acme"), now)

    await journal.write("t", fail)
    code, text = await said(tmp_path, capsys, "status")
    assert code == 1
    assert "could not be sent" in text
    assert "Put acme.toml back" in text
    code, text = await said(tmp_path, capsys, "show", ONE.id)
    assert code == 0
    assert f"still to be sent, since {now:%Y-%m-%d %H:%M:%S}: The partner acme is not" in text
    code, text = await said(tmp_path, capsys, "show", ONE.id, "--json")
    assert json.loads(text)["statuses_owed"]["partner"] == "acme"
