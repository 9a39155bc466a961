"""An archive from the door to its report: members entered, judged, retried, closed, resumed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pytest
from lxml import etree
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.errors import JournalError, WorkerDied
from gateway.model.interchange import Transport
from gateway.model.job import JudgeAnswer, JudgeJob, Unpacked
from gateway.service import answering, arrive, journey, quarantine
from gateway.service.journal import records
from tests.service.house import (
    ACCEPTED,
    NO_PACK,
    REJECTED,
    FakeJudges,
    House,
)

XML = b"<a>%d</a>"
TRAVERSAL = "../../etc/passwd"


def batch(names: Iterable[str], **others: bytes) -> bytes:
    """A tar.gz with an XML member of each name, all different, and the others as they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for number, name in enumerate(names):
            _add(archive, name, XML % number)
        for name, data in others.items():
            _add(archive, name, data)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def ten(prefix: str = "") -> list[str]:
    """Names of ten members."""
    return [f"{prefix}{number}.xml" for number in range(10)]


def report_of(rows: list[records.OutboxRow]) -> etree._Element:
    """The newest report."""
    return etree.fromstring([row for row in rows if row.destination == "sftp"][-1].body)


def verdicts(report: etree._Element) -> list[str]:
    """What the report says of each document, in order."""
    return [
        element.get("verdict", "")
        for element in report.iter("{urn:edi-gateway:interchange-report:1}Document")
    ]


@ensureDeferred
async def test_every_member_gets_a_verdict_a_result_and_a_line_in_one_report(
    house: House,
) -> None:
    """Ten members, two bad by content, one by name: nine judged, ten results, one report."""
    judges = FakeJudges(ACCEPTED)
    judges.by_name = {"3.xml": REJECTED, "7.xml": REJECTED}
    intake = await house.intake(judges)
    names = [*ten()[:9], TRAVERSAL]
    id_ = await intake.receive(house.arrival("b.tar.gz", batch(names)), Transport.SFTP)
    row = await house.reaches(id_, "settled")
    assert (row.documents_total, row.documents_open) == (10, 0)
    assert sorted(job.name for job in judges.jobs) == names[:9]
    assert {job.archive for job in judges.jobs} == {"b.tar.gz"}
    documents = await house.documents(id_)
    assert [d.ordinal for d in documents] == list(range(1, 11))
    assert [d.name for d in documents] == names
    states = [d.state.value for d in documents]
    assert states.count("accepted") == 7
    assert states.count("rejected") == 3
    assert (documents[9].cause or "").startswith("CONTAINER-")
    results = await house.outbox(id_, "document")
    assert len({r.message_id for r in results}) == 10
    reports = await house.outbox(id_, "report")
    assert len(reports) == 2
    assert verdicts(report_of(reports)) == states
    assert not (house.scratch / id_).exists()


@ensureDeferred
async def test_one_member_that_ends_its_judge_holds_nobody_back(house: House) -> None:
    """It is tried again alone, then quarantined; the others are judged, the report provisional."""
    judges = FakeJudges(ACCEPTED)
    judges.by_name = {"4.xml": WorkerDied("killed by signal 9")}
    intake = await house.intake(judges)
    id_ = await intake.receive(house.arrival("b.tar.gz", batch(ten())), Transport.SFTP)
    row = await house.reaches(id_, "quarantined")
    assert "killed by signal 9" in (row.cause or "")
    assert [job.name for job in judges.jobs].count("4.xml") == 2
    assert judges.alone == ["4.xml"]
    states = [d.state.value for d in await house.documents(id_)]
    assert states.count("accepted") == 9
    assert states[4] == "quarantined"
    report = report_of(await house.outbox(id_, "report"))
    assert verdicts(report)[4] == "undetermined"
    assert report.findtext(".//{*}Provisional") == "true"


@ensureDeferred
async def test_what_cannot_be_opened_as_a_whole_is_refused_with_one_finding(house: House) -> None:
    """A batch that was cut off on its way is never half processed."""
    judges = FakeJudges(ACCEPTED)
    intake = await house.intake(judges)
    whole = batch(ten())
    id_ = await intake.receive(house.arrival("b.tar.gz", whole[: len(whole) // 2]), Transport.SFTP)
    row = await house.reaches(id_, "refused")
    assert (row.cause or "").startswith("CONTAINER-")
    assert judges.jobs == []
    (document,) = await house.documents(id_)
    assert (document.name, document.state) == ("b.tar.gz", "rejected")
    assert list(house.scratch.iterdir()) == [], "what was unpacked until then is gone"


@ensureDeferred
async def test_an_archive_that_costs_every_judge_leaves_nothing_unpacked(house: House) -> None:
    """It is quarantined, and does not fill the disk until the daemon is started again."""
    judges = FakeJudges(ACCEPTED)

    def killed(job: JudgeJob, file: BinaryIO) -> JudgeAnswer:
        folder = Path(job.unpack_to or "")
        folder.mkdir(exist_ok=True)
        (folder / "1").write_bytes(bytes(1000))
        raise WorkerDied("killed by signal 9")

    judges.opened = killed  # type: ignore[method-assign]
    intake = await house.intake(judges)
    id_ = await intake.receive(house.arrival("b.tar.gz", batch(ten())), Transport.SFTP)
    await house.reaches(id_, "quarantined")
    assert list(house.scratch.iterdir()) == []


@ensureDeferred
async def test_an_archive_that_costs_a_judge_while_it_is_opened_is_opened_at_the_second_try(
    house: House,
) -> None:
    """Until then the archive itself stands in the journal as the one document; then its members."""
    judges = FakeJudges(ACCEPTED)
    judges.cannot_open = [WorkerDied("killed by signal 9")]
    intake = await house.intake(judges)
    id_ = await intake.receive(house.arrival("b.tar.gz", batch(ten())), Transport.SFTP)
    row = await house.reaches(id_, "settled")
    assert judges.opens == 2
    assert row.documents_total == 10
    documents = await house.documents(id_)
    assert [d.name for d in documents] == ten()
    assert all(d.state == "accepted" for d in documents)


@pytest.mark.parametrize("judged_before", [0, 3])
@ensureDeferred
async def test_after_a_crash_the_archive_is_opened_again_and_only_the_rest_is_judged(
    house: House, judged_before: int
) -> None:
    """The scratch folder is gone; members keep their numbers, and no result is made twice."""
    stuck = FakeJudges(*[ACCEPTED] * judged_before, ACCEPTED)
    first = await house.intake(stuck)
    gate: defer.Deferred[None] = defer.Deferred()
    seen = 0
    answer = stuck.next

    def limited() -> object:
        nonlocal seen
        seen += 1
        if seen > judged_before:
            raise defer.CancelledError
        return answer()

    stuck.next = limited  # type: ignore[method-assign, assignment]
    id_ = await first.receive(house.arrival("b.tar.gz", batch(ten())), Transport.SFTP)
    for _ in range(500):
        documents = await house.documents(id_)
        if sum(d.state == "accepted" for d in documents) == judged_before and len(documents) == 10:
            break
        await task.deferLater(reactor, 0.02)
    await first.stop(0.1)
    gate.callback(None)
    assert (await house.row(id_)).state == "opened"
    for leftover in house.scratch.iterdir():
        for file in leftover.iterdir():
            file.unlink()
        leftover.rmdir()
    judges = FakeJudges(ACCEPTED)
    await house.intake(judges)
    await house.reaches(id_, "settled")
    assert len(judges.jobs) == 10 - judged_before
    assert [d.name for d in await house.documents(id_)] == ten()
    results = await house.outbox(id_, "document")
    assert len(results) == len({r.message_id for r in results}) == 10


@ensureDeferred
async def test_a_crash_between_two_pages_of_members_enters_none_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entering goes on where it stopped: each member is there once, under its own number."""
    entering = arrive.enter_members
    calls = 0

    def fails_at_the_second(*args: object, **kwargs: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise JournalError("disk full")
        entering(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(arrive, "enter_members", fails_at_the_second)
    judges = FakeJudges(ACCEPTED)
    intake = await house.intake(judges)
    names = [f"{number}.xml" for number in range(450)]
    id_ = await intake.receive(house.arrival("b.tar.gz", batch(names)), Transport.SFTP)
    row = await house.reaches(id_, "settled")
    assert row.documents_total == 450
    assert [d.name for d in await house.documents(id_)] == names
    assert len(judges.jobs) == 450
    assert judges.opens == 2


@ensureDeferred
async def test_attachments_and_signatures_are_noted_not_judged(house: House) -> None:
    """They stand in the journal and the report, beside the document they go with."""
    judges = FakeJudges(ACCEPTED)
    intake = await house.intake(judges)
    data = batch(["0.xml"], **{"0.png": b"\x89PNG\r\n\x1a\n" + b"\0" * 20})
    id_ = await intake.receive(house.arrival("b.tar.gz", data), Transport.SFTP)
    await house.reaches(id_, "settled")
    assert [job.name for job in judges.jobs] == ["0.xml"]
    (found,) = await house.journal.read("t", lambda conn: records.attachments_page(conn, id_))
    assert (found.name, found.role, found.beside) == ("0.png", "attachment", "0.xml")
    report = report_of(await house.outbox(id_, "report"))
    assert b"0.png" in etree.tostring(report)


@ensureDeferred
async def test_a_late_document_does_not_keep_the_partner_waiting_for_the_others(
    house: House,
) -> None:
    """After the set time a provisional report goes out, once; the completed one replaces it."""
    judges = FakeJudges(ACCEPTED)
    judges.by_name = {"4.xml": NO_PACK}
    intake = await house.intake(judges, provisional_seconds=0.05)
    id_ = await intake.receive(house.arrival("b.tar.gz", batch(ten())), Transport.SFTP)
    for _ in range(500):
        if await house.outbox(id_, "report"):
            break
        await task.deferLater(reactor, 0.01)
    early = report_of(await house.outbox(id_, "report"))
    assert early.findtext(".//{*}Provisional") == "true"
    assert verdicts(early).count("accepted") == 9
    judges.by_name = {}
    await house.reaches(id_, "settled")
    late = report_of(await house.outbox(id_, "report"))
    assert late.findtext(".//{*}Provisional") == "false"
    assert late.findtext(".//{*}Revision") == "2"
    assert verdicts(late) == ["accepted"] * 10


@ensureDeferred
async def test_a_report_on_hundreds_of_documents_is_a_file_in_the_spool(house: House) -> None:
    """The partner's file is taken from there whole; the broker gets a claim check on it."""
    judges = FakeJudges(REJECTED)
    intake = await house.intake(judges, inline_bytes=50_000)
    names = [f"{number}.xml" for number in range(300)]
    id_ = await intake.receive(house.arrival("b.tar.gz", batch(names)), Transport.SFTP)
    await house.reaches(id_, "settled")
    reports = {row.destination: row for row in await house.outbox(id_, "report")}
    check = msgspec.json.decode(reports["broker"].body)["claim_check"]
    assert reports["sftp"].payload == check["sha256"]
    whole = etree.fromstring(house.spool.path(check["sha256"]).read_bytes())
    assert verdicts(whole) == ["rejected"] * 300
    assert list(house.scratch.iterdir()) == []


@ensureDeferred
async def test_an_archive_the_disk_has_no_room_for_waits_and_costs_no_attempt(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is opened once there is room, without anybody's help, however long that took."""
    monkeypatch.setattr(journey, "NO_ROOM_SECONDS", 0.05)
    judges = FakeJudges(ACCEPTED)
    full = [True] * 5
    opened = judges.opened

    def first_full(job: JudgeJob, file: BinaryIO) -> JudgeAnswer:
        if full:
            full.pop()
            return JudgeAnswer(unpacked=Unpacked(no_room="100 bytes"))
        return opened(job, file)

    judges.opened = first_full  # type: ignore[method-assign]
    intake = await house.intake(judges)
    id_ = await intake.receive(house.arrival("b.tar.gz", batch(ten())), Transport.SFTP)
    row = await house.reaches(id_, "settled")
    assert row.documents_total == 10
    assert full == []


@ensureDeferred
async def test_a_document_released_while_the_report_is_made_is_judged_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interchange is not closed over its head: the release counts, and the report follows."""
    judges = FakeJudges(ACCEPTED)
    judges.by_name = {"4.xml": WorkerDied("killed by signal 9")}
    intake = await house.intake(judges)
    closing = answering.close_interchange

    def released_meanwhile(conn: Any, interchange: Any, *args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(answering, "close_interchange", closing)
        judges.by_name = {}
        quarantine.release(conn, interchange.id, None, kwargs["now"])
        return closing(conn, interchange, *args, **kwargs)

    monkeypatch.setattr(answering, "close_interchange", released_meanwhile)
    id_ = await intake.receive(house.arrival("b.tar.gz", batch(ten())), Transport.SFTP)
    await house.reaches(id_, "quarantined")
    moved = await house.journal.write(
        "t", lambda conn: quarantine.release(conn, id_, None, house.now())
    )
    assert moved.documents == (5,)
    await intake.resume(id_, "acme")
    await house.reaches(id_, "settled")
    assert all(d.state == "accepted" for d in await house.documents(id_))
    assert len(await house.outbox(id_, "report")) == 4


@ensureDeferred
async def test_a_document_set_aside_is_told_with_its_reason_in_the_completed_report(
    house: House,
) -> None:
    """Nine accepted, one discarded by an operator: settled, and the partner reads why."""
    judges = FakeJudges(ACCEPTED)
    judges.by_name = {"4.xml": WorkerDied("killed by signal 9")}
    intake = await house.intake(judges)
    id_ = await intake.receive(house.arrival("b.tar.gz", batch(ten())), Transport.SFTP)
    await house.reaches(id_, "quarantined")
    await house.journal.write(
        "t", lambda conn: quarantine.discard(conn, id_, None, "sent by mail", house.now())
    )
    await intake.resume(id_, "acme")
    await house.reaches(id_, "settled")
    report = report_of(await house.outbox(id_, "report"))
    assert verdicts(report).count("discarded") == 1
    assert report.findtext(".//{*}Provisional") == "false"
    assert b"sent by mail" in etree.tostring(report)
