"""Statuses a back office asks for: given once and recorded, or refused with reasons."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import defer
from twisted.internet.threads import deferToThread

from gateway.core.cdar.message_reader import MessageRead, read
from gateway.core.cdar.request_findings import MAX_FINDINGS, MAX_INVOICES, MAX_VALUES
from gateway.errors import JournalError, WorkersBroken
from gateway.model.interchange import Transport
from gateway.model.job import DocumentLimits, JudgeAnswer, JudgeJob
from gateway.model.legal import LegalIdentity
from gateway.model.partner import Partner
from gateway.model.verdict import Finding, Layer, Severity
from gateway.service.journal import records, request_records, status_records
from gateway.service.metrics import request_metrics
from gateway.service.status_request_reading import MAX_BYTES
from gateway.service.status_requests import Answer, StatusRequests, asked_in
from tests.service.house import ACCEPTED, REJECTED, FakeJudges, House
from tests.service.test_asyncapi import validator
from tests.status_requests import ISSUED, SELLER, asked, body_of

WRONG = Finding(rule="BR-FR-CDV-01", layer=Layer.SCHEMATRON, severity=Severity.ERROR, message="no")
REMARK = msgspec.structs.replace(WRONG, severity=Severity.WARNING)


class Identifying(FakeJudges):
    """Judges that find number, day and seller in every document; the number is its name."""

    async def judge(self, job: JudgeJob, *, alone: bool = False) -> JudgeAnswer:
        """As said, and identified."""
        answer = await super().judge(job, alone=alone)
        assert answer.judgement is not None
        known = msgspec.structs.replace(
            answer.judgement,
            invoice_number=job.name.removesuffix(".xml"),
            issue_date=ISSUED,
            seller_id=SELLER,
        )
        return msgspec.structs.replace(answer, judgement=known)


class FakeChecking:
    """Says the same of every message; does something `meanwhile`, once."""

    def __init__(self) -> None:
        self.says: tuple[Finding, ...] = ()
        self.error: Exception | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.seen: list[bytes] = []

    async def check(
        self, messages: Sequence[bytes], on: dt.date, partner: str
    ) -> tuple[tuple[Finding, ...], ...]:
        """What the test wants."""
        if self.error is not None:
            raise self.error
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        self.seen += messages
        return tuple(self.says for _ in messages)


class Desk:
    """A house whose back office asks for statuses."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.checking = FakeChecking()
        self.log = structlog.testing.CapturingLogger()
        self.sent = 0
        self.partners = {name: Partner(name=name) for name in ("acme", "other")}
        self.requests = self.anew()

    def anew(self, we: LegalIdentity | None = None, inline_bytes: int = 1_000_000) -> Any:
        """One that was just started."""

        def written() -> None:
            self.sent += 1

        return StatusRequests(
            journal=self.house.journal,
            spool=self.house.spool,
            in_thread=deferToThread,
            checking=self.checking,
            partners=self.partners,
            we=we or LegalIdentity(name="Passerelle", id="0123", application="AAA123"),
            inline_bytes=inline_bytes,
            outbox_written=written,
            log=structlog.wrap_logger(self.log, processors=[]),
            now=self.house.now,
        )

    async def invoice(
        self, number: str = "FA-1", *, partner: str = "acme", good: bool = True
    ) -> str:
        """An invoice that was judged; its interchange."""
        intake = await self.house.intake(Identifying(ACCEPTED if good else REJECTED))
        data = f"<a>{number}{partner}</a>".encode()
        arrival = self.house.arrival(f"{number}.xml", data, partner=partner)
        id_ = await intake.receive(arrival, Transport.SFTP)
        await self.house.reaches(id_, "settled")
        return id_

    async def ask(self, body: bytes, id_: str | None = "m-1") -> Answer:
        """What is answered."""
        answer: Answer = await self.requests.answer(asked_in(body, id_))
        validator("#/components/schemas/statusAnswer").validate(answer.body)
        return answer

    async def outbox(self, id_: str) -> list[records.OutboxRow]:
        """The lifecycle messages of an interchange."""
        return await self.house.outbox(id_, "cdar")

    async def lifecycle(self, id_: str) -> list[tuple[str, str]]:
        """(status, message) of its one invoice."""
        rows = await self.house.journal.read(
            "t", lambda conn: status_records.statuses_of_invoice(conn, id_, 1)
        )
        return [(row.status, row.message_id) for row in rows]


@async_yield_fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk of its own."""
    house = House(tmp_path)
    await house.open()
    yield Desk(house)
    for intake in house.intakes:
        await intake.stop(0)
    await house.journal.close()


def rules(answer: Answer) -> list[str]:
    """What a request was refused for; each finding in both languages."""
    assert answer.body["outcome"] == "refused"
    for each in answer.body["findings"]:
        if each["rule"].startswith("REQUEST-"):
            for words in (each["explanation"], each["remedy"]):
                assert words["fr"]
                assert words["en"] != words["fr"]
    return [each.rule for each in answer.findings]


@pytest.mark.parametrize("code", ["204", "205", "207", "210", "211", "212", "220"])
@ensureDeferred
async def test_a_status_goes_the_way_its_invoice_came(desk: Desk, code: str) -> None:
    """To the broker and into out/, recorded in the lifecycle, under one id; the answer says so."""
    id_ = await desk.invoice()
    answer = await desk.ask(body_of(code))
    assert not answer.findings
    assert answer.body["outcome"] == "accepted"
    assert (answer.body["status"], answer.body["partner"]) == (code, "acme")
    assert answer.body["invoices"] == [{"number": "FA-1", "issued": ISSUED, "document": f"{id_}/1"}]
    rows = await desk.outbox(id_)
    assert [row.destination for row in rows] == ["broker", "sftp"]
    assert rows[0].message_id == answer.body["message_id"] == answer.body["id"]
    assert rows[0].type == "edi.acknowledgement.cdar"
    assert {row.filename for row in rows} == {answer.body["filename"]}
    message = read(rows[1].body, DocumentLimits())
    assert isinstance(message, MessageRead)
    assert message.message.id == answer.body["id"]
    assert [each.status for each in message.message.documents] == [code]
    assert desk.checking.seen == [rows[1].body]
    assert await desk.lifecycle(id_) == [(code, answer.body["id"])]
    assert (desk.sent, desk.requests.outcomes) == (1, {"accepted": 1})
    (metric,) = request_metrics(desk.requests.outcomes)
    assert [(each.name, each.labels, each.value) for each in metric.samples] == [
        ("edi_gateway_status_requests_total", {"outcome": "accepted"}, 1)
    ]


@ensureDeferred
async def test_a_request_that_comes_again_makes_nothing_twice(desk: Desk) -> None:
    """At once, one after the other, and after a restart: one message, and the same answer."""
    id_ = await desk.invoice()
    both = await defer.gatherResults(
        [defer.Deferred.fromCoroutine(desk.ask(body_of("205"))) for _ in range(2)]
    )
    assert sorted(each.body["repeated"] for each in both) == [False, True]
    desk.requests = desk.anew()
    third = await desk.ask(body_of("205"))
    first = next(each for each in both if not each.body["repeated"])
    assert third.body == {**first.body, "repeated": True}
    assert len(await desk.outbox(id_)) == 2
    assert len(await desk.lifecycle(id_)) == 1


@ensureDeferred
async def test_an_id_means_one_request(desk: Desk) -> None:
    """Another request under the same id is refused; without an id, the bytes are the id."""
    id_ = await desk.invoice()
    await desk.ask(body_of("204"), "m-1")
    assert rules(await desk.ask(body_of("205"), "m-1")) == ["REQUEST-REUSED"]
    for expected in (False, True):
        answer = await desk.ask(body_of("205"), None)
        assert answer.body["repeated"] is expected
        assert answer.body["request"].startswith("sha256:")
    assert [status for status, _ in await desk.lifecycle(id_)] == ["204", "205"]


@ensureDeferred
async def test_nothing_stays_of_a_request_that_could_not_be_written_whole(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction fails at its last step: no message, no status; the next attempt has both."""
    id_ = await desk.invoice()

    def broken(*_: object) -> None:
        raise JournalError("disk full")

    monkeypatch.setattr(request_records, "take", broken)
    with pytest.raises(JournalError):
        await desk.ask(body_of("205"))
    assert await desk.outbox(id_) == []
    assert await desk.lifecycle(id_) == []
    monkeypatch.undo()
    assert (await desk.ask(body_of("205"))).body["repeated"] is False
    assert len(await desk.outbox(id_)) == 2


@ensureDeferred
async def test_a_message_that_could_not_be_checked_is_neither_sent_nor_refused(desk: Desk) -> None:
    """No judge: an exception, for whoever brought the request to bring it again."""
    id_ = await desk.invoice()
    desk.checking.error = WorkersBroken("no judge starts")
    with pytest.raises(WorkersBroken):
        await desk.ask(body_of("205"))
    assert await desk.outbox(id_) == []
    desk.checking.error = None
    assert not (await desk.ask(body_of("205"))).findings


@ensureDeferred
async def test_what_the_official_rules_object_to_is_refused(desk: Desk) -> None:
    """With their finding; a remark of theirs keeps nothing back."""
    id_ = await desk.invoice()
    desk.checking.says = (REMARK, WRONG)
    assert rules(await desk.ask(body_of("205"))) == ["BR-FR-CDV-01"]
    assert await desk.outbox(id_) == []
    desk.checking.says = (REMARK,)
    assert not (await desk.ask(body_of("205"))).findings


@ensureDeferred
async def test_to_the_portal_it_goes_with_the_time_we_received_the_invoice(desk: Desk) -> None:
    """MDT-95 is ours to know; the message waits at the broker alone, as the portal's do."""
    id_ = await desk.invoice()
    answer = await desk.ask(body_of("205", to="portal", recipients=[]))
    assert not answer.findings
    (row,) = await desk.outbox(id_)
    assert (row.destination, row.type) == ("broker", "edi.acknowledgement.cdar.portal")
    assert answer.body["filename"].startswith("FFE0614A_AAA123_")
    message = read(row.body, DocumentLimits())
    assert isinstance(message, MessageRead)
    assert message.message.documents[0].received is not None


@ensureDeferred
async def test_portal_without_our_code_there_is_refused(desk: Desk) -> None:
    """The file would have no name: whoever asked hears which setting is missing."""
    await desk.invoice()
    desk.requests = desk.anew(LegalIdentity(name="Passerelle", id="0123"))
    answer = await desk.ask(body_of("205", to="portal", recipients=[]))
    assert rules(answer) == ["REQUEST-KEY"]
    assert "legal.application" in answer.findings[0].message


@ensureDeferred
async def test_several_invoices_of_one_partner_are_one_message(desk: Desk) -> None:
    """Of two partners they are refused, as is one that is named twice."""
    request = asked("205")
    first, second = await desk.invoice("FA-1"), await desk.invoice("FA-2")
    await desk.invoice("FA-3", partner="other")
    one = request["invoices"][0]

    def of(*numbers: str) -> bytes:
        request["invoices"] = [{**one, "number": number} for number in numbers]
        return json.dumps(request).encode()

    assert rules(await desk.ask(of("FA-1", "FA-3"))) == ["REQUEST-PARTNERS"]
    assert rules(await desk.ask(of("FA-1", "FA-1"))) == ["REQUEST-TWICE"]
    assert rules(await desk.ask(of("FA-1", "FA-9", "FA-8"))) == ["REQUEST-UNKNOWN"] * 2
    answer = await desk.ask(of("FA-2", "FA-1"))
    assert [each["document"] for each in answer.body["invoices"]] == [f"{second}/1", f"{first}/1"]
    assert len(await desk.outbox(second)) == 2
    assert await desk.outbox(first) == []
    assert len(await desk.lifecycle(first)) == len(await desk.lifecycle(second)) == 1


@ensureDeferred
async def test_a_file_has_statuses_too(desk: Desk) -> None:
    """500 by the name of a file that was received once; of an unknown one there is none."""
    id_ = await desk.invoice("FA-1", good=False)
    answer = await desk.ask(body_of("500", "FA-1.xml"))
    assert answer.body["invoices"][0]["document"] == id_
    assert len(await desk.outbox(id_)) == 2
    assert rules(await desk.ask(body_of("500", "FA-2.xml"), "m-2")) == ["REQUEST-FLUX"]


@ensureDeferred
async def test_a_number_that_told_the_status_before_tells_it_no_more(desk: Desk) -> None:
    """An id of the message (MDT-4) chosen by who asks: kept, and refused the second time."""
    id_ = await desk.invoice()
    answer = await desk.ask(body_of("205", id="CDV-1"))
    assert (answer.body["id"], answer.body["message_id"] != "CDV-1") == ("CDV-1", True)
    assert rules(await desk.ask(body_of("205", id="CDV-1"), "m-2")) == ["REQUEST-SENT"]
    assert len(await desk.outbox(id_)) == 2
    assert await desk.lifecycle(id_) == [("205", "CDV-1")]


@ensureDeferred
async def test_a_partner_that_is_gone_is_told_nothing(desk: Desk) -> None:
    """There is no way to it, and nothing may wait for ever."""
    await desk.invoice()
    desk.partners.clear()
    assert rules(await desk.ask(body_of("205"))) == ["REQUEST-PARTNER"]


@ensureDeferred
async def test_a_large_message_lies_in_the_spool(desk: Desk) -> None:
    """Its rows name it, and its reference is counted."""
    id_ = await desk.invoice()
    desk.requests = desk.anew(inline_bytes=100)
    assert not (await desk.ask(body_of("205"))).findings
    rows = await desk.outbox(id_)
    assert rows[1].payload is not None
    assert desk.house.spool.path(rows[1].payload).is_file()


@ensureDeferred
async def test_an_invoice_that_is_gone_meanwhile_is_looked_for_again(desk: Desk) -> None:
    """While a judge checks, the invoice is rejected by a replay: nothing is given to it."""
    id_ = await desk.invoice()

    async def rejected() -> None:
        await desk.house.journal.write(
            "t",
            lambda conn: conn.exec_driver_sql("UPDATE documents SET verdict = 'rejected'"),
        )

    desk.checking.meanwhile = rejected
    assert rules(await desk.ask(body_of("205"))) == ["REQUEST-UNKNOWN"]
    assert await desk.outbox(id_) == []


def changed(**keys: Any) -> bytes:
    """A request that is good but for these keys of its invoice."""
    request = asked("210")
    request["invoices"][0].update(keys)
    return json.dumps(request).encode()


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "REQUEST-JSON"),
        (b"status = 205", "REQUEST-JSON"),
        (b"[]", "REQUEST-JSON"),
        (b'"205"', "REQUEST-JSON"),
        (b"\xff\xfe{", "REQUEST-JSON"),
        (b"[" * 1_000_000, "REQUEST-JSON"),
        (b'{"a":' * 200_000, "REQUEST-JSON"),
        (b'{"a":' * 30 + b"1" + b"}" * 30, "REQUEST-LARGE"),
        (b'{"status": [' + b"1," * MAX_VALUES + b"1]}", "REQUEST-LARGE"),
        (b" " * (MAX_BYTES + 1), "REQUEST-BYTES"),
        (b"{}", "REQUEST-KEY"),
        (b'{"status": NaN, "invoices": []}', "REQUEST-KEY"),
        (b'{"status": "205", "invoices": {}}', "REQUEST-KEY"),
        (b'{"status": {"a": 1}, "invoices": []}', "REQUEST-KEY"),
        (b'{"status": "205", "surprise": 1, "invoices": []}', "REQUEST-KEY"),
        (body_of("205", status="299"), "REQUEST-KEY"),
        (body_of("205", status="210"), "REQUEST-KEY"),
        (body_of("205", issuer=None), "REQUEST-KEY"),
        (body_of("205", at="0001-01-01T00:00:00+12:00"), "REQUEST-VALUES"),
        (body_of("205", to="everybody"), "REQUEST-KEY"),
        (changed(number="FA\u0000"), "REQUEST-TEXT"),
        (changed(number="FA\ud800"), "REQUEST-TEXT"),
        (changed(number=" "), "REQUEST-KEY"),
        (changed(number="FA-2"), "REQUEST-UNKNOWN"),
        (changed(issued="2026-04-27"), "REQUEST-UNKNOWN"),
        (changed(seller="552100554"), "REQUEST-UNKNOWN"),
        (changed(seller="nobody"), "REQUEST-UNKNOWN"),
        (changed(seller="' OR 1=1 --"), "REQUEST-UNKNOWN"),
        (changed(issued="yesterday"), "REQUEST-KEY"),
        (changed(attachments=[{"filename": "a", "content": "=="}]), "REQUEST-KEY"),
    ],
    ids=lambda value: value[:40].decode("latin-1") if isinstance(value, bytes) else value,
)
@ensureDeferred
async def test_a_bad_request_is_a_finding(desk: Desk, body: bytes, rule: str) -> None:
    """Whatever it is: refused with words in two languages, logged, counted; nothing is written."""
    id_ = await desk.invoice()
    answer = await desk.ask(body)
    assert set(rules(answer)) == {rule}
    json.dumps(answer.body).encode()
    msgspec.json.encode(answer.body)
    assert desk.requests.outcomes == {"refused": 1}
    assert await desk.outbox(id_) == []
    assert await desk.lifecycle(id_) == []
    assert [call.kwargs["event"] for call in desk.log.calls] == ["status_request_refused"]


@ensureDeferred
async def test_what_is_wrong_is_told_bounded(desk: Desk) -> None:
    """The first findings and how many more; too many invoices at once are one finding."""
    await desk.invoice()
    request = asked("205")
    (one,) = request["invoices"]
    request["invoices"] = [{**one, "number": f"F{n}"} for n in range(MAX_INVOICES)]
    found = rules(await desk.ask(json.dumps(request).encode()))
    assert found == ["REQUEST-UNKNOWN"] * MAX_FINDINGS + ["REQUEST-MORE"]
    request["invoices"] *= 2
    assert rules(await desk.ask(json.dumps(request).encode())) == ["REQUEST-INVOICES"]


@ensureDeferred
async def test_an_invoice_that_was_rejected_has_no_status_of_its_processing(desk: Desk) -> None:
    """Only accepted invoices are found."""
    await desk.invoice(good=False)
    assert rules(await desk.ask(body_of("205"))) == ["REQUEST-UNKNOWN"]
