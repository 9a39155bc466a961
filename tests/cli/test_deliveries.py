"""`edi-gateway queues`, `hold`, `resume`, `resend` and what `status` says of deliveries."""

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
from gateway.errors import DeliveryFailed, DeliveryRefused
from gateway.model.interchange import Interchange
from gateway.model.publication import Publication
from gateway.service.control import Control
from gateway.service.holds import Holds
from gateway.service.journal import Journal, delivery_records, records
from gateway.service.outbox import Outbox
from gateway.service.resend import Resending
from tests.service.test_delivery import FAST, SLOW, Channel
from tests.service.test_outbox import FakeBroker, settled, until


class Running:
    """A daemon's parts on a folder: a journal, an outbox, the control socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(reactor, folder / "journal.sqlite")
        self.broker = FakeBroker()
        self.channel = Channel()
        self.log = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[])
        self.outbox = self.new_outbox(FAST)

    def new_outbox(self, settings: Any) -> Outbox:
        """As after a restart."""
        self.outbox = Outbox(
            reactor,
            journal=self.journal,
            broker=self.broker,
            channels={"sftp": self.channel.send},
            settings=settings,
            log=self.log,
        )
        return self.outbox

    async def command(self, *words: str) -> int:
        """What `edi-gateway …` ends with, run beside the reactor."""
        code: int = await deferToThread(main, [*words, "--state-dir", str(self.folder)])
        return code

    async def rows(self, one: Interchange, kind: str) -> list[records.OutboxRow]:
        """What was said of one kind."""
        rows = await self.journal.read("t", lambda conn: records.outbox_of(conn, one.id))
        return [row for row in rows if row.kind == kind]

    async def until_all(self, one: Interchange, kind: str, state: str) -> None:
        """Wait until all of it stands so."""
        for _ in range(500):
            if {row.state.value for row in await self.rows(one, kind)} == {state}:
                return
            await task.deferLater(reactor, 0.01)
        raise AssertionError(f"{kind} never {state}")

    def published(self, exchange: str) -> list[Publication]:
        """What the broker got there."""
        return self.broker.of(exchange)


@async_yield_fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """Nothing is sent yet: the tests start the outbox."""
    running = Running(tmp_path)
    await running.journal.open()
    wake = running_wake(running)
    holds = Holds(
        running.journal,
        partners={"acme": 1, "other": 2},
        flows=["ctc-fr-invoice", "none"],
        destinations=["broker", "sftp"],
        outbox_written=wake,
        log=running.log,
    )
    resending = Resending(running.journal, outbox_written=wake, log=running.log)
    handlers = {**holds.handlers(), **resending.handlers()}
    control = Control(reactor, tmp_path / "control.sock", handlers, log=running.log)
    await control.start()
    yield running
    await control.stop()
    await running.outbox.stop(1)
    await running.journal.close()


def running_wake(running: Running) -> Any:
    """Of whichever outbox is there."""
    return lambda: running.outbox.wake()


Said = pytest.CaptureFixture[str]


# ---- hold, resume


@ensureDeferred
async def test_a_hold_outlives_a_restart_and_says_who_why_and_what(
    running: Running, capsys: Said
) -> None:
    """Nothing goes to the partner until it is let go; then at once."""
    one = await settled(running.journal)
    assert await running.command("hold", "--partner", "acme", "--reason", "their server moves") == 0
    assert "Held: partner acme." in capsys.readouterr().out
    running.outbox.start()
    await task.deferLater(reactor, 0.1)
    await running.outbox.stop(1)
    running.new_outbox(SLOW).start()
    await task.deferLater(reactor, 0.1)
    assert running.channel.handed == []
    assert running.broker.handed == []
    await running.command("status")
    said = capsys.readouterr().out
    assert "partner acme (their server moves)" in said
    assert "Held by " in said
    assert await running.command("queues", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    held = {line["destination"]: line["held"] for line in lines if line["kind"] == "queue"}
    assert held["sftp"] == 1
    assert held["broker"] > 1
    (hold,) = [line for line in lines if line["kind"] == "hold"]
    assert (hold["partner"], hold["reason"]) == ("acme", "their server moves")
    assert hold["placed_by"]
    assert await running.command("resume", "--partner", "acme") == 0
    assert "Resumed: partner acme." in capsys.readouterr().out
    await running.until_all(one, "report", "delivered")


@ensureDeferred
async def test_only_what_has_a_hold_can_be_resumed(running: Running, capsys: Said) -> None:
    """A hold of everything is not lifted by naming one partner: the answer says what is held."""
    assert await running.command("hold", "--all", "--reason", "audit") == 0
    assert await running.command("hold", "--all", "--reason", "another") == 0
    assert "Held before" in capsys.readouterr().out
    assert await running.command("resume", "--partner", "acme") == 3
    assert "Held are: everything." in capsys.readouterr().err
    assert await running.command("hold", "--flow", "none", "--reason", "r") == 0
    assert await running.command("resume", "--flow", "none") == 0
    assert "Still held: everything." in capsys.readouterr().out
    assert await running.command("resume", "--all", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["resumed"], answer["left"]) == (["everything"], [])
    assert await running.command("resume", "--all") == 0
    assert "Nothing was held." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--partner", "acmee"], 3, "There is no partner"),
        (["--flow", "b2b"], 3, "There are: ctc-fr-invoice, none."),
        (["--destination", "sfpt"], 3, "There are: broker, sftp."),
        ([], 2, "--partner, --flow, --destination"),
        (["--all", "--partner", "acme"], 2, "nothing else can be named"),
    ],
)
@ensureDeferred
async def test_a_hold_of_nothing_that_exists_is_refused(
    running: Running, capsys: Said, words: list[str], code: int, said: str
) -> None:
    """A typing error must not pass for a hold."""
    assert await running.command("hold", *words, "--reason", "r") == code
    assert said in capsys.readouterr().err


# ---- resend


@ensureDeferred
async def test_a_report_is_sent_again_as_it_was(running: Running, capsys: Said) -> None:
    """The same bytes under the same message id, to both; nothing is judged, no state changes."""
    one = await settled(running.journal)
    running.outbox.start()
    await running.until_all(one, "report", "delivered")
    await until(lambda: len(running.published("edi.acknowledgements")) == 1)
    before = await running.journal.read("t", lambda conn: records.transitions_of(conn, one.id))
    assert await running.command("resend", one.id[:34] + one.id[34:]) == 0
    assert "2 messages are sent again" in capsys.readouterr().out
    await until(lambda: len(running.published("edi.acknowledgements")) == 2)
    await until(lambda: len(running.channel.handed) == 2)
    first, again = running.published("edi.acknowledgements")
    assert (again.message_id, again.body) == (first.message_id, first.body)
    assert again.headers == first.headers
    await running.until_all(one, "report", "delivered")
    rows = await running.rows(one, "report")
    assert [row.attempts for row in rows] == [2, 2]
    after = await running.journal.read("t", lambda conn: records.transitions_of(conn, one.id))
    assert len(after) >= len(before)
    assert {step.new for step in after} == {step.new for step in before} | {"acknowledged"}
    assert await running.command("show", one.id) == 0
    assert "resend by " in capsys.readouterr().out


@ensureDeferred
async def test_one_publication_to_one_side(running: Running, capsys: Said) -> None:
    """--document and --to narrow it down."""
    one = await settled(running.journal)
    running.outbox.start()
    await running.until_all(one, "report", "delivered")
    await until(lambda: len(running.published("edi.acknowledgements")) == 1)
    assert await running.command("resend", one.id, "--document", "1") == 0
    await until(lambda: len(running.published("edi.documents")) == 2)
    assert await running.command("resend", one.id, "--to", "partner", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["messages"] == 1
    await until(lambda: len(running.channel.handed) == 2)
    assert len(running.published("edi.acknowledgements")) == 1
    assert await running.command("resend", one.id, "--document", "7") == 3
    assert "has sent no document of document 7" in capsys.readouterr().err


@ensureDeferred
async def test_one_message_or_all_of_a_kind(running: Running, capsys: Said) -> None:
    """--message-id names one, as `show` prints it; --all goes back to the first."""
    one = await settled(running.journal)
    running.outbox.start()
    await running.until_all(one, "report", "delivered")
    (named,) = [row for row in await running.rows(one, "report") if row.destination == "sftp"]
    assert await running.command("resend", one.id, "--message-id", named.message_id) == 0
    assert "1 message is sent again" in capsys.readouterr().out
    await until(lambda: len(running.channel.handed) == 2)
    (event, *_) = await running.rows(one, "event")
    assert await running.command("resend", one.id, "--message-id", event.message_id) == 3
    assert f"has sent no message {event.message_id}" in capsys.readouterr().err
    assert await running.command("resend", one.id, "--all", "--json") == 0
    assert json.loads(capsys.readouterr().out)["messages"] == 2


@ensureDeferred
async def test_what_waits_long_is_tried_at_once(running: Running) -> None:
    """A resend does not wait for the pause after the last failure."""
    one = await settled(running.journal)
    running.channel.error = lambda _: DeliveryFailed("no")
    running.new_outbox(SLOW).start()
    await until(lambda: len(running.channel.handed) == 1)
    await task.deferLater(reactor, 0.1)
    running.channel.error = lambda _: None
    assert await running.command("resend", one.id, "--to", "partner") == 0
    await running.until_all(one, "report", "delivered")


@ensureDeferred
async def test_the_dead_are_listed_told_and_revived(running: Running, capsys: Said) -> None:
    """`queues` and `status` end with 1 while something is dead."""
    ones = [await settled(running.journal, number) for number in (1, 2, 3)]
    running.channel.error = lambda _: DeliveryRefused("certificate unknown")
    running.outbox.start()
    for one in ones:
        for _ in range(300):
            (row,) = [r for r in await running.rows(one, "report") if r.destination == "sftp"]
            if row.state.value == "dead":
                break
            await task.deferLater(reactor, 0.02)
        assert row.state.value == "dead"
    assert await running.command("queues") == 1
    said = capsys.readouterr().out
    assert "sftp acme: certificate unknown" in said
    assert "edi-gateway resend --dead" in said
    assert await running.command("status") == 1
    assert "3 messages are dead" in capsys.readouterr().out
    running.channel.error = lambda _: None
    assert await running.command("resend", "--dead", "--partner", "other") == 0
    assert "Nothing was dead." in capsys.readouterr().out
    assert await running.command("resend", "--dead", "--destination", "sftp") == 0
    assert "3 messages are tried again" in capsys.readouterr().out
    for one in ones:
        await running.until_all(one, "report", "delivered")
    assert await running.command("queues") == 0


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["ID", "--dead"],
        ["--dead", "--to", "broker"],
        ["ID", "--partner", "acme"],
        ["ID", "--document", "1", "--kind", "report"],
        ["ID", "--message-id", "M", "--all"],
        ["ID", "--message-id", "M", "--kind", "cdar"],
        ["ID", "--to", "portal"],
        ["--dead", "--all"],
        ["--dead", "--message-id", "M"],
        ["--message-id", "M"],
    ],
)
@ensureDeferred
async def test_a_resend_that_means_nothing_is_refused(running: Running, words: list[str]) -> None:
    """Usage, code 2: before anything is asked of the gateway."""
    assert await running.command("resend", *words) == 2


@ensureDeferred
async def test_unknown_interchanges_are_said_to_be(running: Running, capsys: Said) -> None:
    """As everywhere else."""
    assert await running.command("resend", "0197d5a0") == 2
    assert "No interchange has the id" in capsys.readouterr().err


# ---- away, late


@ensureDeferred
async def test_who_does_not_answer_is_told(running: Running, capsys: Said) -> None:
    """Since when, how often, why; and an empty journal says that nothing waits."""
    assert await running.command("queues") == 0
    assert "Nothing waits." in capsys.readouterr().out
    await settled(running.journal)
    running.channel.error = lambda _: DeliveryFailed("connection refused")
    running.outbox.start()
    for _ in range(300):
        if await running.journal.read("t", delivery_records.open_circuits):
            break
        await task.deferLater(reactor, 0.02)
    for command in ("queues", "status"):
        await running.command(command)
        said = capsys.readouterr().out
        assert "sftp acme has not answered for" in said
        assert "connection refused" in said


@ensureDeferred
async def test_late_acknowledgements_are_told_and_end_with_1(
    running: Running, capsys: Said
) -> None:
    """The interchange of the tests was received long ago, and its report has not left."""
    one = await settled(running.journal)
    assert dt.datetime.now(dt.UTC) - one.envelope.received_at > dt.timedelta(days=1)
    assert await running.command("status") == 1
    said = capsys.readouterr().out
    assert "1 acknowledgement is late" in said
    assert f"edi-gateway show {one.id}" in said
    assert await running.command("status", "--json") == 1
    assert json.loads(capsys.readouterr().out)["late"] == [one.id]
    running.outbox.start()
    await running.until_all(one, "report", "delivered")
    for _ in range(100):
        if await running.command("status") == 0:
            break
        await task.deferLater(reactor, 0.02)
    capsys.readouterr()
    assert await running.command("status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["late"] == []
