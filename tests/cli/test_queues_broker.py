"""`edi-gateway queues --broker`: what the running gateway knows of the broker's own queues."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor, task
from twisted.internet.threads import deferToThread

from gateway.cli.main import main
from gateway.service.amqp_depths import Depths
from gateway.service.audit import Audit
from gateway.service.broker_queues import BrokerQueues, Depth, Known
from gateway.service.control import Control
from gateway.service.journal import Journal
from gateway.service.journal.audit_records import deeds

ANSWERED = BrokerQueues(
    known=Known.ANSWERED,
    at=dt.datetime(2026, 3, 2, 9, 30, tzinfo=dt.UTC),
    queues=(
        Depth(queue="edi.documents.accepted", messages=12, consumers=1),
        Depth(queue="edi.documents.rejected", error="404 NOT_FOUND \x1b[31m"),
    ),
)


class Gateway:
    """A journal and a control socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(reactor, folder / "journal.sqlite")
        log = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[])
        handlers = {"broker-queues": Depths(task.Clock(), None, list).answer}
        self.control = Control(
            reactor, folder / "control.sock", handlers, log=log, audit=Audit(self.journal)
        )

    async def command(self, *words: str) -> int:
        """What the command ends with."""
        words = ("queues", *words, "--state-dir", str(self.folder))
        code: int = await deferToThread(main, list(words))
        return code


@async_yield_fixture
async def running(tmp_path: Path) -> AsyncIterator[Gateway]:
    """One without a broker."""
    made = Gateway(tmp_path)
    await made.journal.open()
    await made.control.start()
    yield made
    await made.control.stop()
    await made.journal.close()


@ensureDeferred
async def test_without_a_broker(running: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    """That is said; nobody finds it in the audit, for it only looks. Unasked, nothing is said."""
    assert await running.command("--broker") == 0
    assert "There is no broker: results are files" in capsys.readouterr().out
    assert await running.command("--broker", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "kind": "broker",
        "known": "files",
        "queues": [],
        "at": None,
        "error": "",
    }
    assert await running.journal.read("t", lambda conn: deeds(conn, limit=9)) == []
    assert await running.command() == 0
    assert capsys.readouterr().out == "Nothing waits.\n"
    await running.control.stop()
    assert await running.command("--broker") == 2
    await running.control.start()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            BrokerQueues(known=Known.AWAY, error="RabbitMQ at x: refused."),
            ["The broker is away. It said: RabbitMQ at x: refused."],
        ),
        (BrokerQueues(known=Known.BLOCKED), ["short of memory or disk"]),
        (BrokerQueues(known=Known.ASKED), ["has not answered yet"]),
        (
            BrokerQueues(known=Known.SILENT, error="no answer within 3 s"),
            ["did not say what waits there. It said: no answer within 3 s"],
        ),
        (
            ANSWERED,
            [
                "edi.documents.accepted  12",
                "edi.documents.rejected  ?",
                "404 NOT_FOUND",
            ],
        ),
    ],
    ids=lambda each: each.known.value if isinstance(each, BrokerQueues) else "",
)
@ensureDeferred
async def test_what_is_told(
    running: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    found: BrokerQueues,
    words: list[str],
) -> None:
    """Numbers, or why there are none; what the broker says is nothing a terminal obeys."""
    monkeypatch.setattr(Depths, "known", lambda _: found)
    assert await running.command("--broker") == 0
    said: Any = capsys.readouterr().out
    for each in words:
        assert each in said
    assert "\x1b" not in said
