"""`edi-gateway quarantine`: what is listed, what is asked of the daemon, what people read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from gateway.cli.main import main
from gateway.model.interchange import Transport
from gateway.service.control import Control
from gateway.service.quarantine import Quarantine
from tests.service.house import ACCEPTED, NO_PACK, FakeJudges, House


class Running:
    """A daemon's parts on a folder: a journal, an intake, the control socket."""

    def __init__(self, house: House, judges: FakeJudges, held: str, well: str) -> None:
        self.house = house
        self.judges = judges
        self.held = held
        """An interchange in quarantine."""
        self.well = well
        """One that is settled."""

    async def command(self, *words: str) -> int:
        """What `edi-gateway quarantine …` ends with, run beside the reactor."""
        given = ["quarantine", *words, "--state-dir", str(self.house.folder)]
        code: int = await deferToThread(main, given)
        return code


@async_yield_fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """One interchange in quarantine and one that went well."""
    house = House(tmp_path)
    await house.open()
    judges = FakeJudges(ACCEPTED)
    intake = await house.intake(judges)
    well = await intake.receive(house.arrival("well.xml", b"<well/>"), Transport.SFTP)
    await house.reaches(well, "settled")
    judges.verdicts = [NO_PACK]
    held = await intake.receive(house.arrival("held.xml", b"<held/>"), Transport.SFTP)
    await house.reaches(held, "quarantined")
    log = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[])
    desk = Quarantine(house.journal, resume=intake.resume, outbox_written=lambda: None, log=log)
    control = Control(reactor, tmp_path / "control.sock", desk.handlers(), log=log)
    await control.start()
    yield Running(house, judges, held, well)
    await control.stop()
    await intake.stop(1)
    await house.journal.close()


@ensureDeferred
async def test_the_list_says_what_why_and_where(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """An operator sees the cause, and finds the bytes as they came."""
    assert await running.command("list") == 0
    said = capsys.readouterr().out
    assert running.held in said
    assert running.well not in said
    assert "pack missing" in said
    assert "held.xml" in said
    assert "edi-gateway quarantine release" in said
    row = await running.house.row(running.held)
    path = running.house.spool.path(row.sha256)
    assert f"    {path}\n" in said
    assert path.read_bytes() == b"<held/>"


@ensureDeferred
async def test_the_list_for_scripts_has_one_object_per_line(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same, with every field by its name."""
    assert await running.command("list", "--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    row = await running.house.row(running.held)
    assert Path(said.pop("payload")) == running.house.spool.path(row.sha256)
    assert said.pop("received_at") <= said.pop("since")
    assert said == {
        "interchange_id": running.held,
        "ordinal": 1,
        "name": "held.xml",
        "position": None,
        "partner": "acme",
        "flow": "ctc-fr-invoice",
        "file_name": "held.xml",
        "sha256": row.sha256,
        "cause": "pack missing",
        "attempts": 3,
        "lethal": 0,
    }


@ensureDeferred
async def test_the_list_is_bounded_and_says_so(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rule pack that was missing overnight may leave thousands there."""
    intake = running.house.intakes[0]
    other = await intake.receive(running.house.arrival("other.xml", b"<other/>"), Transport.SFTP)
    await running.house.reaches(other, "quarantined")
    assert await running.command("list", "--limit", "1") == 0
    said = capsys.readouterr().out
    assert "… and 1 more (--limit)" in said
    assert other not in said


@ensureDeferred
async def test_release_by_the_beginning_of_an_id(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cause is mended, the document judged again; the second time there is nothing to do."""
    running.judges.verdicts = [ACCEPTED]
    assert await running.command("release", running.held[:-1]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"1 document of {running.held} released, to be judged again.")
    await running.house.reaches(running.held, "settled")
    assert await running.command("release", running.held) == 0
    said = capsys.readouterr().out
    assert said == f"No document of {running.held} is in quarantine: nothing was changed.\n"
    assert await running.command("list") == 0
    assert capsys.readouterr().out == "Nothing is in quarantine.\n"


@ensureDeferred
async def test_discard_one_document_with_a_reason(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the operator wrote is the cause the journal keeps; scripts get the daemon's answer."""
    words = ("discard", running.held, "--document", "1", "--reason", "Sent by mail.", "--json")
    assert await running.command(*words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"ok": True, "interchange": running.held, "documents": 1}
    await running.house.reaches(running.held, "refused")
    document = await running.house.document(running.held)
    assert document is not None
    assert (document.state.value, document.cause) == ("discarded", "Sent by mail.")
    assert await running.command(*words[:-1]) == 0
    assert capsys.readouterr().out == (
        f"Document 1 of {running.held} is not in quarantine: nothing was changed.\n"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("release", "zzzz"), "No interchange has the id 'zzzz'."),
        (("release", "0"), "Several interchanges begin with '0':"),
        (("release", "HELD", "--document", "7"), "has no document 7."),
        (("discard", "HELD", "--reason", " "), "--reason is empty."),
        (("discard", "HELD", "--reason", "x" * 501), "reason"),
    ],
)
@ensureDeferred
async def test_a_wrong_word_is_a_usage_error(
    running: Running, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    """Nothing is done, and the message says what to write instead."""
    given = [running.held if word == "HELD" else word for word in words]
    assert await running.command(*given) == 2
    assert told in capsys.readouterr().err
    assert (await running.house.row(running.held)).state == "quarantined"


@pytest.mark.parametrize(
    "words", [["discard", "x"], ["release"], ["release", "x", "--document", "0"], []]
)
def test_what_is_missing_is_a_usage_error(words: list[str]) -> None:
    """Discarding without a reason is not possible: its partner will ask."""
    with pytest.raises(SystemExit) as ended:
        main(["quarantine", *words])
    assert ended.value.code == 2


@ensureDeferred
async def test_without_a_daemon_the_command_says_so(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal can be read, but only the daemon may write it."""
    (running.house.folder / "control.sock").unlink()
    assert await running.command("release", running.held) == 2
    assert "No gateway answers at" in capsys.readouterr().err
    assert await running.command("list") == 0
