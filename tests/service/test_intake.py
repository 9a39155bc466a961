"""Intake: what is promised, what is retried, what is quarantined, what resumes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.errors import IntakeRefused, SpoolError, WorkerDied, WorkersBroken
from gateway.model.interchange import Transport
from gateway.model.verdict import Accepted, Layer, Rejected, Verdict
from gateway.service import consequences, messages, settle
from gateway.service.journal import records
from tests.service.house import (
    ACCEPTED,
    NO_PACK,
    REJECTED,
    UNREADABLE,
    FakeJudges,
    House,
    finding,
)


@ensureDeferred
async def test_received_means_bytes_and_row_are_there_before_anything_is_judged(
    house: House,
) -> None:
    """`receive` returns an id whose payload is in the spool and whose row is in the journal."""
    judges = FakeJudges(ACCEPTED)
    judges.gate = defer.Deferred()
    intake = await house.intake(judges)
    arrival = house.arrival()
    id_ = await intake.receive(arrival, Transport.SFTP)
    assert house.spool.path(arrival.sha256).read_bytes() == b"<a/>"
    assert not arrival.path.exists()
    assert (await house.row(id_)).state == "received"
    judges.gate.callback(None)
    await house.reaches(id_, "settled")


@pytest.mark.parametrize(
    ("verdict", "interchange", "document"),
    [
        (ACCEPTED, "settled", "accepted"),
        (REJECTED, "settled", "rejected"),
        (UNREADABLE, "refused", "rejected"),
    ],
)
@ensureDeferred
async def test_a_verdict_ends_the_interchange_with_result_and_report(
    house: House, verdict: Verdict, interchange: str, document: str
) -> None:
    """One result to the broker; one report to the broker and one to the partner, same file name."""
    intake = await house.intake(FakeJudges(verdict))
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, interchange)
    row = await house.document(id_)
    assert row is not None
    assert row.state == document
    assert [r.routing_key.split(".")[-1] for r in await house.outbox(id_, "document")] == [document]
    reports = await house.outbox(id_, "report")
    assert sorted(r.destination for r in reports) == ["broker", "sftp"]
    assert len({r.filename for r in reports}) == 1
    assert len({r.body for r in reports}) == 1
    assert house.woken > 0


@ensureDeferred
async def test_an_honest_resend_finds_its_interchange_and_a_new_name_makes_another(
    house: House,
) -> None:
    """Same partner, name and bytes: the same id, judged once. Another name: another id."""
    judges = FakeJudges(ACCEPTED)
    intake = await house.intake(judges)
    first = await intake.receive(house.arrival(), Transport.SFTP)
    again = await intake.receive(house.arrival(), Transport.SFTP)
    other = await intake.receive(house.arrival("b.xml"), Transport.SFTP)
    assert first == again != other
    await house.reaches(first, "settled")
    await house.reaches(other, "settled")
    assert len(judges.jobs) == 2


@ensureDeferred
async def test_a_judge_that_dies_costs_a_retry_not_a_verdict(house: House) -> None:
    """WorkerDied makes the document undetermined; the next attempt decides."""
    judges = FakeJudges(WorkerDied("killed by signal 9"), REJECTED)
    intake = await house.intake(judges)
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    steps = await house.journal.read("t", lambda conn: records.transitions_of(conn, id_))
    assert [s.new for s in steps if s.ordinal == 1] == [
        "extracted",
        "undetermined",
        "extracted",
        "rejected",
    ]


@ensureDeferred
async def test_what_cannot_be_judged_is_quarantined_never_accepted_nor_rejected(
    house: House,
) -> None:
    """After the last attempt: quarantine, a provisional report, no result, bytes kept."""
    intake = await house.intake(FakeJudges(NO_PACK))
    arrival = house.arrival()
    id_ = await intake.receive(arrival, Transport.SFTP)
    row = await house.reaches(id_, "quarantined")
    assert row.cause == "pack missing"
    document = await house.document(id_)
    assert document is not None
    assert (document.state, document.attempts) == ("quarantined", 3)
    assert await house.outbox(id_, "document") == []
    reports = await house.outbox(id_, "report")
    assert len(reports) == 2
    assert b"rovisional" in reports[0].body
    assert house.spool.path(arrival.sha256).read_bytes() == b"<a/>"


@ensureDeferred
async def test_no_judge_at_all_is_nobodys_attempt(house: House) -> None:
    """WorkersBroken leaves the interchange as it is and uncounted; it goes on when judges do."""
    intake = await house.intake(FakeJudges(*[WorkersBroken("boot failed")] * 5, ACCEPTED))
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    row = await house.reaches(id_, "settled")
    assert row.cause is None


@ensureDeferred
async def test_while_no_judge_works_the_rest_waits_instead_of_asking_in_turn(
    house: House,
) -> None:
    """Thousands that wait for broken judges cost neither a timer nor a line of log each."""
    judges = FakeJudges(WorkersBroken("boot failed"))
    intake = await house.intake(judges, max_in_flight=2)
    ids = [
        await intake.receive(house.arrival(f"{n}.xml", b"<a>%d</a>" % n), Transport.SFTP)
        for n in range(12)
    ]
    for _ in range(500):
        if len(judges.jobs) >= 8:
            break
        await task.deferLater(reactor, 0.02)
    assert len(judges.jobs) >= 8
    assert len({job.name for job in judges.jobs}) == 2
    judges.verdicts = [ACCEPTED]
    for id_ in ids:
        await house.reaches(id_, "settled")


@ensureDeferred
async def test_a_partner_taken_from_the_configuration_is_not_told_of_a_rejection(
    house: House,
) -> None:
    """What it sent before needs a human: without its flows every document would be rejected."""
    judges = FakeJudges(REJECTED)
    intake = await house.intake(judges)
    arrival = house.arrival()
    arrival.partner = "gone"
    id_ = await intake.receive(arrival, Transport.SFTP)
    row = await house.reaches(id_, "quarantined")
    assert "gone is no longer configured" in (row.cause or "")
    assert judges.jobs == []
    assert await house.outbox(id_, "document") == []


@ensureDeferred
async def test_unfinished_work_resumes_before_new_files_are_taken(house: House) -> None:
    """What one intake left unfinished, the next one finds in the journal and finishes."""
    stuck = FakeJudges(ACCEPTED)
    stuck.gate = defer.Deferred()
    first = await house.intake(stuck, max_in_flight=2)
    ids = [
        await first.receive(house.arrival(f"{n}.xml", b"<a>%d</a>" % n), Transport.SFTP)
        for n in range(40)
    ]
    await first.stop(0.1)
    with pytest.raises(IntakeRefused, match="stopping"):
        await first.receive(house.arrival("late.xml"), Transport.SFTP)
    judges = FakeJudges(ACCEPTED)
    await house.intake(judges, max_in_flight=2)
    for id_ in ids:
        await house.reaches(id_, "settled")
    assert sorted(job.name for job in judges.jobs) == sorted(f"{n}.xml" for n in range(40))


@ensureDeferred
async def test_more_than_memory_should_hold_waits_in_the_journal(house: House) -> None:
    """Beyond the bounded queue, interchanges are found again in the journal, each judged once."""
    judges = FakeJudges(ACCEPTED)
    judges.gate = defer.Deferred()
    intake = await house.intake(judges, max_in_flight=1)
    ids = [
        await intake.receive(house.arrival(f"{n}.xml", b"<a>%d</a>" % n), Transport.SFTP)
        for n in range(30)
    ]
    assert intake.waiting <= 8
    judges.gate.callback(None)
    for id_ in ids:
        await house.reaches(id_, "settled")
    assert len(judges.jobs) == 30


@ensureDeferred
async def test_a_full_disk_is_said_before_anything_is_promised(house: House) -> None:
    """Below intake.min_free_mb a new file is refused, and nothing of it is in the journal."""
    intake = await house.intake(FakeJudges(ACCEPTED), min_free_mb=10**9)
    with pytest.raises(IntakeRefused, match=r"short of disk space.*min_free_mb"):
        await intake.receive(house.arrival(), Transport.SFTP)
    assert await house.journal.read("t", records.list_interchanges) == []


@ensureDeferred
async def test_a_spool_that_fails_refuses_the_file(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row without bytes: the partner hears failure and still owns the file."""
    intake = await house.intake(FakeJudges(ACCEPTED))

    def fail(*_: object) -> Path:
        raise SpoolError("no space left")

    monkeypatch.setattr(house.spool, "adopt", fail)
    with pytest.raises(SpoolError):
        await intake.receive(house.arrival(), Transport.SFTP)
    assert await house.journal.read("t", records.list_interchanges) == []


@ensureDeferred
async def test_a_large_result_travels_as_a_claim_check(house: House) -> None:
    """A body beyond the limit stays in the spool; the message says its SHA-256 and size."""
    big = b'{"invoice_number":"FA-1","pad":"' + b"x" * 2_000_000 + b'"}'
    intake = await house.intake(FakeJudges(Accepted(invoice=big)))
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    (row,) = await house.outbox(id_, "document")
    check = msgspec.json.decode(row.body)["claim_check"]
    assert check["sha256"] == hashlib.sha256(big).hexdigest() == row.headers["claim-check"]
    assert check["size"] == len(big)
    assert house.spool.path(check["sha256"]).read_bytes() == big


@ensureDeferred
async def test_a_large_report_travels_as_a_claim_check_and_reaches_the_partner_whole(
    house: House,
) -> None:
    """The broker gets a claim check on the report; the partner's file holds every finding."""
    many = Rejected(tuple(finding(f"BR-{n}", Layer.SCHEMATRON) for n in range(900)))
    intake = await house.intake(FakeJudges(many), inline_bytes=20_000)
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    reports = {row.destination: row for row in await house.outbox(id_, "report")}
    check = msgspec.json.decode(reports["broker"].body)["claim_check"]
    assert reports["sftp"].payload == check["sha256"]
    whole = house.spool.path(check["sha256"]).read_bytes()
    assert hashlib.sha256(whole).hexdigest() == check["sha256"]
    assert len(whole) == check["size"]
    assert whole.count(b"<Finding ") == 900
    references = await house.journal.read(
        "t", lambda conn: records.payload_references(conn, check["sha256"])
    )
    assert references == 1


@ensureDeferred
async def test_a_crash_between_quarantine_and_report_is_made_good_at_the_next_start(
    house: House,
) -> None:
    """A document in quarantine whose partner was not told yet: the next start tells it."""
    stuck = FakeJudges(ACCEPTED)
    stuck.gate = defer.Deferred()
    first = await house.intake(stuck)
    id_ = await first.receive(house.arrival(), Transport.SFTP)
    await first.stop(0.1)
    row = await house.row(id_)
    payload = consequences.payload_of(row.interchange(), attempts=2)
    judgement = consequences.undetermined(payload, NO_PACK)
    await house.journal.write(
        "t",
        lambda conn: settle.settle_document(
            conn,
            row.interchange(),
            payload,
            judgement,
            None,
            retry=consequences.Retry(None),
            now=row.received_at,
        ),
    )
    assert (await house.row(id_)).state == "opened"
    await house.intake(FakeJudges(ACCEPTED))
    await house.reaches(id_, "quarantined")
    assert len(await house.outbox(id_, "report")) == 2
    assert await house.outbox(id_, "document") == []


@ensureDeferred
async def test_every_line_about_an_interchange_names_it_its_partner_and_its_flow(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the line of a failure of ours, after which the interchange is taken up again."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    settling = settle.settle_document

    def fail_once(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(settle, "settle_document", settling)
        raise OSError("a fault nobody foresaw")

    monkeypatch.setattr(settle, "settle_document", fail_once)
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    lines = {call.kwargs["event"]: call.kwargs for call in house.said.calls}
    assert {"interchange_received", "document_not_settled", "document_judged"} <= set(lines)
    for event, line in lines.items():
        assert (line["interchange"], line["partner"]) == (id_, "acme"), event
        flow = None if event == "interchange_received" else "ctc-fr-invoice"
        assert line["flow"] == flow, event
    assert "a fault nobody foresaw" in lines["document_not_settled"]["traceback"]


@ensureDeferred
async def test_a_document_that_can_never_be_settled_ends_in_quarantine(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours is retried like any other, a bounded number of times; the bytes stay."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    publication = messages.document_publication

    def broken(*_: Any, **__: Any) -> Any:
        raise TypeError("a fault nobody foresaw")

    monkeypatch.setattr(messages, "document_publication", broken)
    arrival = house.arrival()
    id_ = await intake.receive(arrival, Transport.SFTP)
    row = await house.reaches(id_, "quarantined")
    monkeypatch.setattr(messages, "document_publication", publication)
    assert "a fault nobody foresaw" in (row.cause or "")
    assert house.spool.path(arrival.sha256).read_bytes() == b"<a/>"


@ensureDeferred
async def test_a_document_that_ends_its_judge_twice_needs_a_human(house: House) -> None:
    """The second try is made alone, whatever judges.attempts allows; there is no third."""
    judges = FakeJudges(WorkerDied("killed by signal 9"))
    intake = await house.intake(judges)
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    row = await house.reaches(id_, "quarantined")
    assert "killed by signal 9" in (row.cause or "")
    assert len(judges.jobs) == 2
    assert judges.alone == ["a.xml"]
