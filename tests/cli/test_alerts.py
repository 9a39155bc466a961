"""`edi-gateway alerts`: the list, from the journal alone; and the trial, by the running gateway."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from gateway.cli.main import main
from gateway.service.control import Control
from gateway.service.journal import Journal, alert_records
from gateway.service.journal.alert_records import AlertRow, ToldRow


def ago(minutes: float) -> dt.datetime:
    """So long before now."""
    return dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)


def an_alert(number: int, **changed: Any) -> AlertRow:
    """It began `number` minutes ago."""
    fields: dict[str, Any] = {
        "id": f"a{number}",
        "kind": "outage",
        "subject": "as2",
        "partner": f"p{number}",
        "since": ago(number + 5),
        "began_at": ago(number),
        "what_en": f"p{number} does not answer.",
        "what_fr": f"p{number} ne répond pas.",
        "remedy_en": "Ask the partner.",
        "remedy_fr": "Demandez au partenaire.",
    }
    return AlertRow(**{**fields, **changed})


class Running:
    """A journal with alerts, and the control socket beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(reactor, folder / "journal.sqlite")
        self.receivers: list[dict[str, str]] = []
        log = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[])
        self.control = Control(
            reactor, folder / "control.sock", {"alerts-test": self._trial}, log=log
        )

    async def _trial(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"receivers": self.receivers}

    async def command(self, *words: str) -> int:
        """What `edi-gateway alerts …` ends with."""
        words = ("alerts", *words, "--state-dir", str(self.folder))
        code: int = await deferToThread(main, list(words))
        return code


@async_yield_fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """With the journal open."""
    made = Running(tmp_path)
    await made.journal.open()
    await made.control.start()
    yield made
    await made.control.stop()
    await made.journal.close()


@ensureDeferred
async def test_what_is_on(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """What, since when, what to do; those that are over with --all alone."""
    assert await running.command() == 0
    assert capsys.readouterr().out == "No alert is on.\n"

    def write(conn: Any) -> None:
        for number in (10, 400):
            alert_records.begin_alert(conn, an_alert(number))
        alert_records.add_messages(
            conn,
            [
                ToldRow(
                    alert_id="a10",
                    about="began",
                    receiver="mail",
                    body=b"{}",
                    created_at=ago(10),
                    next_attempt_at=ago(1),
                )
            ],
        )
        alert_records.end_alert(conn, "a400", ago(100))

    await running.journal.write("t", write)
    assert await running.command("--lang", "en") == 1
    out = capsys.readouterr().out
    assert "p10 does not answer." in out
    assert "→ Ask the partner." in out
    assert "p400" not in out
    assert "15 min" in out
    assert "1 message has not reached mail yet; it is tried again" in out
    assert await running.command("--all", "--lang", "fr") == 1
    out = capsys.readouterr().out
    assert "p10 ne répond pas." in out
    assert "as2 p400" in out
    assert "over 100 min ago" in out


@ensureDeferred
async def test_what_is_on_for_programs(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """One object each, words in both languages, how bad it is."""
    await running.journal.write("t", lambda conn: alert_records.begin_alert(conn, an_alert(10)))
    assert await running.command("--json") == 1
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert said["kind"] == "outage"
    assert said["severity"] == "critical"
    assert said["what"] == {"en": "p10 does not answer.", "fr": "p10 ne répond pas."}
    assert said["ended_at"] is None


@ensureDeferred
async def test_a_trial(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """Who was reached, and who was not; exit code 1 then; in words when there is nobody."""
    assert await running.command("test") == 0
    assert "Nobody is told" in capsys.readouterr().out
    running.receivers = [{"receiver": "webhook", "error": ""}]
    assert await running.command("test") == 0
    assert capsys.readouterr().out == "webhook: sent\n"
    running.receivers.append({"receiver": "mail", "error": "mail.test took no mail."})
    assert await running.command("test") == 1
    assert "mail: mail.test took no mail." in capsys.readouterr().out
    assert await running.command("test", "--json") == 1
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == running.receivers


@ensureDeferred
async def test_a_trial_needs_a_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The list does not."""
    journal = Journal(reactor, tmp_path / "journal.sqlite")
    await journal.open()
    await journal.close()
    words = ["--state-dir", str(tmp_path)]
    assert await deferToThread(main, ["alerts", *words]) == 0
    assert await deferToThread(main, ["alerts", "test", *words]) == 2
    assert "No gateway answers" in capsys.readouterr().err
