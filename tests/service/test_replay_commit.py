"""Judged again for good: from the acknowledgement back to it, with new verdicts."""

from __future__ import annotations

import datetime as dt
from typing import Any, BinaryIO

import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from gateway.errors import JournalError
from gateway.model.interchange import Transport
from gateway.model.job import JudgeAnswer, JudgeJob, Unpacked
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Layer
from gateway.service import replay_commit, settle
from gateway.service.control import CommandRefused
from gateway.service.intake import Intake
from gateway.service.journal import records
from gateway.service.replay_commit import Replaying
from tests.service.house import ACCEPTED, REJECTED, FakeJudges, House, finding
from tests.service.test_replay import archive


def desk(house: House, intake: Intake) -> Replaying:
    """Who answers the command."""

    def wake() -> None:
        house.woken += 1

    return Replaying(
        house.journal,
        spool=house.spool,
        in_thread=deferToThread,
        resume=intake.resume,
        outbox_written=wake,
        log=structlog.wrap_logger(house.said, processors=[]),
    )


async def deliver(house: House, id_: str) -> None:
    """Everything that waits in the outbox arrives."""

    def write(conn: Any) -> None:
        rows = [row for row in records.outbox_of(conn, id_) if row.delivered_at is None]
        settle.delivered(conn, rows, house.now())

    await house.journal.write("t", write)


async def acknowledged(house: House, intake: Intake, name: str, data: bytes) -> str:
    """An interchange that came to its end."""
    id_ = await intake.receive(house.arrival(name, data), Transport.SFTP)
    await house.reaches(id_, "settled")
    await deliver(house, id_)
    await house.reaches(id_, "acknowledged")
    return id_


async def steps(house: House, id_: str) -> list[tuple[int, str | None, str, str | None]]:
    """The audit trail: ordinal, from, to, why."""
    rows = await house.journal.read("t", lambda conn: records.transitions_of(conn, id_))
    return [(row.ordinal, row.old and row.old.value, row.new.value, row.cause) for row in rows]


@ensureDeferred
async def test_a_rejected_invoice_is_accepted_after_all(house: House) -> None:
    """New verdict, new result and new report, each with the next revision; every step is noted."""
    judges = FakeJudges(REJECTED)
    intake = await house.intake(judges)
    id_ = await acknowledged(house, intake, "a.xml", b"<a/>")
    before = await steps(house, id_)
    judges.verdicts = [ACCEPTED]
    answer = await desk(house, intake).commit({"interchange": id_, "rules": "2027-01-31"})
    assert answer == {"interchange": id_, "documents": 1}
    await house.reaches(id_, "settled")
    document = await house.document(id_)
    assert document is not None
    assert (document.state, document.verdict, document.cause) == ("accepted", "accepted", None)
    await deliver(house, id_)
    row = await house.reaches(id_, "acknowledged")
    assert (row.documents_open, row.documents_total, row.report_revision) == (0, 1, 2)
    assert [str(job.on) for job in judges.jobs] == [str(row.received_at.date()), "2027-01-31"]
    results, reports = await house.outbox(id_, "document"), await house.outbox(id_, "report")
    assert len({each.message_id for each in results}) == len(results) == 2
    assert len({each.message_id for each in reports}) == len(reports) == 4  # broker and channel
    assert len({each.filename for each in reports}) == 2
    why = "replayed by an operator with the rules of 2027-01-31"
    assert (await steps(house, id_))[len(before) :] == [
        (1, "published", "extracted", why),
        (0, "acknowledged", "opened", why),
        (1, "extracted", "accepted", None),
        (0, "opened", "judged", None),
        (0, "judged", "settled", None),
        (1, "accepted", "published", None),
        (0, "settled", "acknowledged", None),
    ]
    told = [each.routing_key for each in await house.outbox(id_, "event")]
    assert len(told) == len(await steps(house, id_))


@ensureDeferred
async def test_an_archive_is_unpacked_and_judged_again(house: House) -> None:
    """Member by member. One that cannot be used stays so: it never comes to a judge."""
    judges = FakeJudges(REJECTED)
    intake = await house.intake(judges)
    id_ = await acknowledged(house, intake, "a.tar.gz", archive("a.xml", "c.xml", "a.xml"))
    before = await house.documents(id_)
    judges.verdicts = [ACCEPTED]
    answer = await desk(house, intake).commit({"interchange": id_})
    assert answer["documents"] == 3
    await house.reaches(id_, "settled")
    after = await house.documents(id_)
    assert [each.name for each in after] == [each.name for each in before]
    assert [each.verdict for each in after] == ["accepted", "accepted", "rejected"]
    assert after[2].judgement == before[2].judgement
    assert sorted(job.name for job in judges.jobs) == ["a.xml", "a.xml", "c.xml", "c.xml"]
    row = await house.row(id_)
    assert (row.documents_open, row.documents_total) == (0, 3)
    assert list(house.scratch.iterdir()) == []


@ensureDeferred
async def test_after_a_crash_it_goes_on(house: House) -> None:
    """Taken back, then nothing: the next start finds it opened, and judges by the chosen rules."""
    intake = await house.intake(FakeJudges(REJECTED))
    id_ = await acknowledged(house, intake, "a.tar.gz", archive("a.xml", "c.xml"))
    await intake.stop(1)
    day = dt.date(2027, 1, 31)
    await house.journal.write(
        "t", lambda conn: replay_commit.take_back(conn, id_, day, house.now())
    )
    judges = FakeJudges(ACCEPTED)
    await house.intake(judges)
    await house.reaches(id_, "settled")
    assert [each.verdict for each in await house.documents(id_)] == ["accepted"] * 2
    assert {job.on for job in judges.jobs} == {day}


@ensureDeferred
async def test_the_next_one_without_a_day_is_as_received(house: House) -> None:
    """The day that was chosen once does not stay."""
    judges = FakeJudges(REJECTED)
    intake = await house.intake(judges)
    id_ = await acknowledged(house, intake, "a.xml", b"<a/>")
    for rules in ({"rules": "2027-01-31"}, {}):
        await desk(house, intake).commit({"interchange": id_, **rules})
        await house.reaches(id_, "settled")
        await deliver(house, id_)
    received = (await house.row(id_)).received_at.date()
    assert [job.on for job in judges.jobs] == [received, dt.date(2027, 1, 31), received]
    assert (await house.row(id_)).report_revision == 3


@ensureDeferred
async def test_what_is_not_at_its_end_is_left_alone(house: House) -> None:
    """Nor what is gone, nor what never was; each with what to do."""
    judges = FakeJudges(REJECTED)
    intake = await house.intake(judges)
    id_ = await intake.receive(house.arrival("a.xml", b"<a/>"), Transport.SFTP)
    await house.reaches(id_, "settled")
    answering = desk(house, intake)
    before = await steps(house, id_)
    with pytest.raises(CommandRefused, match="is settled") as refused:
        await answering.commit({"interchange": id_})
    assert "not delivered yet" in str(refused.value)
    with pytest.raises(CommandRefused, match="There is no interchange nobody"):
        await answering.commit({"interchange": "nobody"})
    await deliver(house, id_)
    house.spool.discard((await house.row(id_)).sha256)
    with pytest.raises(CommandRefused, match="not in the spool any more"):
        await answering.commit({"interchange": id_})
    assert (await steps(house, id_))[: len(before)] == before
    assert (await house.row(id_)).state == "acknowledged"


@ensureDeferred
async def test_two_at_once_are_one(house: House) -> None:
    """The second finds it under way."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    id_ = await acknowledged(house, intake, "a.xml", b"<a/>")
    await intake.stop(1)

    def twice(conn: Any) -> None:
        replay_commit.take_back(conn, id_, None, house.now())
        with pytest.raises(CommandRefused, match="is opened") as refused:
            replay_commit.take_back(conn, id_, None, house.now())
        assert "being judged now" in str(refused.value)

    await house.journal.write("t", twice)
    assert sum(1 for step in await steps(house, id_) if step[1] == "published") == 1


@ensureDeferred
async def test_what_was_discarded_stays_so(house: House) -> None:
    """It has no verdict to take back."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    id_ = await acknowledged(house, intake, "a.xml", b"<a/>")
    await intake.stop(1)

    def write(conn: Any) -> None:
        conn.exec_driver_sql("UPDATE documents SET state = 'discarded'")
        replay_commit.take_back(conn, id_, None, house.now())

    with pytest.raises((CommandRefused, JournalError), match="no document with a verdict"):
        await house.journal.write("t", write)
    document = await house.document(id_)
    assert document is not None
    assert document.state is DocumentState.PUBLISHED  # all of it was undone


class Sceptics(FakeJudges):
    """Judges that do not open an archive at first."""

    refusing = True

    def opened(self, job: JudgeJob, file: BinaryIO) -> JudgeAnswer:
        """What is in the archive, or that it is refused."""
        if self.refusing:
            refused = finding("CONTAINER-DAMAGED", Layer.CONTAINER)
            return JudgeAnswer(unpacked=Unpacked(refused=refused))
        return super().opened(job, file)


@ensureDeferred
async def test_an_archive_that_was_refused_opens_after_all(house: House) -> None:
    """Its first member has the ordinal the archive had, and its result a message id of its own."""
    judges = Sceptics(ACCEPTED)
    intake = await house.intake(judges)
    id_ = await intake.receive(house.arrival("a.tar.gz", archive("a.xml", "c.xml")), Transport.SFTP)
    await house.reaches(id_, "refused")
    await deliver(house, id_)
    await house.reaches(id_, "acknowledged")
    judges.refusing = False
    await desk(house, intake).commit({"interchange": id_})
    await house.reaches(id_, "settled")
    documents = await house.documents(id_)
    assert [(each.name, each.verdict, each.revision) for each in documents] == [
        ("a.xml", "accepted", 1),
        ("c.xml", "accepted", 0),
    ]
    results = await house.outbox(id_, "document")
    assert sorted(each.ordinal for each in results) == [1, 1, 2]
    assert len({each.message_id for each in results}) == 3
