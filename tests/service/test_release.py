"""The way out of quarantine: judged again or set aside, told to the partner, once."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import msgspec
import pytest
import structlog
from lxml import etree
from pytest_twisted import ensureDeferred

from gateway.errors import WorkerDied
from gateway.model.interchange import Transport
from gateway.service import quarantine
from gateway.service.control import CommandRefused
from gateway.service.intake import Intake
from gateway.service.journal import records
from gateway.service.quarantine import Quarantine
from tests.service.house import ACCEPTED, FakeJudges, House

LETHAL = WorkerDied("killed by signal 9")


class Desk:
    """An archive of five documents, some of them in quarantine, and an operator's commands."""

    def __init__(self, house: House, judges: FakeJudges, intake: Intake, id_: str) -> None:
        self.house = house
        self.judges = judges
        self.id = id_
        self.resumed: list[tuple[str, str]] = []
        self.woken = 0

        async def resume(interchange_id: str, partner: str) -> None:
            self.resumed.append((interchange_id, partner))
            await intake.resume(interchange_id, partner)

        def wake() -> None:
            self.woken += 1

        log = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[])
        desk = Quarantine(house.journal, resume=resume, outbox_written=wake, log=log)
        self.handlers = desk.handlers()

    async def command(self, name: str, **arguments: Any) -> Any:
        """Give a command about the interchange."""
        return await self.handlers[f"quarantine.{name}"]({"interchange": self.id, **arguments})

    async def states(self) -> list[str]:
        """Where its documents stand."""
        return [document.state.value for document in await self.house.documents(self.id)]

    async def steps(self) -> list[records.Transition]:
        """Every step so far."""
        found: list[records.Transition] = await self.house.journal.read(
            "t", lambda conn: records.transitions_of(conn, self.id)
        )
        return found

    async def report(self) -> etree._Element:
        """The newest report."""
        rows = await self.house.outbox(self.id, "report")
        return etree.fromstring(rows[-1].body)


async def desk_for(house: House, *lethal: str) -> Desk:
    """An interchange in quarantine, because these of its members 0.xml to 4.xml end their judge."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for number in range(5):
            data = b"<a>%d</a>" % number
            entry = tarfile.TarInfo(f"{number}.xml")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    judges = FakeJudges(ACCEPTED)
    judges.by_name = dict.fromkeys(lethal, LETHAL)
    intake = await house.intake(judges)
    arrival = house.arrival("b.tar.gz", buffer.getvalue())
    id_ = await intake.receive(arrival, Transport.SFTP)
    await house.reaches(id_, "quarantined")
    return Desk(house, judges, intake, id_)


@ensureDeferred
async def test_what_is_released_is_judged_again_and_the_report_completed(house: House) -> None:
    """The cause was mended: the interchange ends well, its second report replaces the first."""
    desk = await desk_for(house, "1.xml", "3.xml")
    desk.judges.by_name.clear()
    assert await desk.command("release") == {"interchange": desk.id, "documents": 2}
    await house.reaches(desk.id, "settled")
    assert await desk.states() == ["accepted"] * 5
    assert (desk.resumed, desk.woken) == ([(desk.id, "acme")], 1)
    report = await desk.report()
    assert report.findtext(".//{*}Provisional") == "false"
    assert report.findtext(".//{*}Revision") == "2"
    assert "remplace notre rapport précédent" in (report.findtext(".//{*}Summary") or "")
    steps = [step for step in await desk.steps() if step.cause == quarantine.RELEASED]
    assert [(step.ordinal, step.new.value) for step in steps] == [
        (2, "extracted"),
        (4, "extracted"),
        (0, "opened"),
    ]
    told = {row.message_id for row in await house.outbox(desk.id, "event")}
    assert len(told) == len(await desk.steps())


@ensureDeferred
async def test_one_document_is_released_alone(house: House) -> None:
    """The other stays where it is, and the report stays provisional."""
    desk = await desk_for(house, "1.xml", "3.xml")
    desk.judges.by_name.pop("1.xml")
    assert (await desk.command("release", document=2))["documents"] == 1
    await house.reaches(desk.id, "quarantined")  # once more: it was opened with the release
    assert await desk.states() == ["accepted", "accepted", "accepted", "quarantined", "accepted"]
    report = await desk.report()
    assert report.findtext(".//{*}Provisional") == "true"


@ensureDeferred
async def test_a_released_document_has_all_its_attempts_again(house: House) -> None:
    """What it cost before is forgotten, or the first passing trouble would send it back."""
    desk = await desk_for(house, "1.xml")
    before = (await house.documents(desk.id))[1]
    assert before.lethal == 2
    await house.journal.write("t", lambda conn: quarantine.release(conn, desk.id, [2], house.now()))
    after = (await house.documents(desk.id))[1]
    assert (after.attempts, after.lethal, after.next_attempt_at) == (0, 0, None)
    assert after.cause == quarantine.RELEASED


@ensureDeferred
async def test_what_is_discarded_is_told_with_the_reason(house: House) -> None:
    """It is never judged again; the interchange ends, with what the others got."""
    desk = await desk_for(house, "1.xml")
    judged = len(desk.judges.jobs)
    said = await desk.command("discard", reason=" Illisible :\n demandez un PDF. ")
    assert said == {"interchange": desk.id, "documents": 1}
    row = await house.reaches(desk.id, "settled")
    assert row.documents_open == 0
    assert (await desk.states())[1] == "discarded"
    assert len(desk.judges.jobs) == judged
    report = await desk.report()
    assert report.findtext(".//{*}Code") == "IN_INTEGRE_PARTIEL"
    told = report.findall(".//{*}Document")[1]
    assert told.get("verdict") == "discarded"
    assert "Motif : Illisible : demandez un PDF." in (told.findtext("{*}Text") or "")
    assert len(await house.outbox(desk.id, "document")) == 4


@ensureDeferred
async def test_asking_again_changes_nothing(house: House) -> None:
    """The second time there is nothing in quarantine: no step, no message, no work."""
    desk = await desk_for(house, "1.xml")
    await desk.command("discard", reason="Broken.")
    await house.reaches(desk.id, "settled")
    before = await desk.steps()
    for command in ("release", "discard"):
        reason = {"reason": "Broken."} if command == "discard" else {}
        for chosen in ({}, {"document": 2}, {"document": 1}):
            said = await desk.command(command, **reason, **chosen)
            assert said == {"interchange": desk.id, "documents": 0}
    assert await desk.steps() == before
    assert len(desk.resumed) == 1


@ensureDeferred
async def test_a_whole_archive_leaves_quarantine_in_pages(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No transaction holds thousands of steps; all documents come out, in order."""
    desk = await desk_for(house, *(f"{number}.xml" for number in range(5)))
    monkeypatch.setattr(quarantine, "AT_ONCE", 2)
    commits = house.journal.commits
    assert (await desk.command("discard", reason="Broken."))["documents"] == 5
    assert house.journal.commits >= commits + 3
    await house.reaches(desk.id, "refused")
    assert await desk.states() == ["discarded"] * 5
    report = await desk.report()
    assert report.findtext(".//{*}Code") == "IN_INCIDENTE"


@ensureDeferred
async def test_what_does_not_exist_is_refused(house: House) -> None:
    """A wrong id or number is told with the way to the right one."""
    desk = await desk_for(house, "1.xml")
    with pytest.raises(CommandRefused, match=r"has no document 9; it has 5\. .*edi-gateway show"):
        await desk.command("release", document=9)
    desk.id = "0197"
    with pytest.raises(CommandRefused, match="There is no interchange 0197"):
        await desk.command("release")


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        ("release", {"document": 0}, r"\$\.document"),
        ("release", {"document": "2"}, r"\$\.document"),
        ("release", {"reason": "x"}, "`reason`"),
        ("discard", {}, "`reason`"),
        ("discard", {"reason": " \n"}, r"\$\.reason"),
        ("discard", {"reason": "x" * 501}, r"\$\.reason"),
    ],
)
@ensureDeferred
async def test_wrong_arguments_are_named(
    house: House, command: str, arguments: dict[str, Any], words: str
) -> None:
    """The message says which one; the journal is not even asked."""
    log = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[])

    async def resume(_interchange_id: str, _partner: str) -> None:
        raise AssertionError("nothing to resume")

    desk = Quarantine(house.journal, resume=resume, outbox_written=lambda: None, log=log)
    with pytest.raises(msgspec.ValidationError, match=words):
        await desk.handlers()[f"quarantine.{command}"]({"interchange": "x", **arguments})
