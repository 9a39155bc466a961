"""A house with a sender of statuses: what its tests share."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog
from pytest_twisted import async_yield_fixture
from twisted.internet import defer, reactor
from twisted.internet.threads import deferToThread

from gateway.core.cdar.message_reader import MessageRead, read
from gateway.model.interchange import Transport
from gateway.model.job import DocumentLimits, JudgeAnswer, JudgeJob
from gateway.model.legal import LegalIdentity
from gateway.model.partner import Acknowledgements, Partner
from gateway.model.verdict import Finding, Layer, Rejected, Severity
from gateway.service import settle
from gateway.service.journal import given_records
from gateway.service.replay_commit import take_back
from gateway.service.status_sender import StatusSender
from tests.core.archives import tar_gz
from tests.service.house import FakeJudges, House

SINGLE = Acknowledgements(html="never", cdar="single")
GROUPED = Acknowledgements(html="never", cdar="grouped")
WITH_PORTAL = Acknowledgements(html="never", cdar="single", portal=True)
EMPTY = Rejected(
    (Finding(rule="XML-SYNTAX", layer=Layer.XML, severity=Severity.ERROR, message="m"),)
)
WRONG = Finding(rule="BR-FR-CDV-01", layer=Layer.SCHEMATRON, severity=Severity.ERROR, message="no")


class Numbering(FakeJudges):
    """Judges that find number, day and seller in every document; the number is its name."""

    async def judge(self, job: JudgeJob, *, alone: bool = False) -> JudgeAnswer:
        """As said, and identified."""
        answer = await super().judge(job, alone=alone)
        if answer.judgement is None or answer.judgement.verdict == EMPTY:
            return answer
        known = msgspec.structs.replace(
            answer.judgement,
            invoice_number=job.name.removesuffix(".xml"),
            issue_date="2026-01-02",
            seller_id="123456782",
        )
        return msgspec.structs.replace(answer, judgement=known)


class FakeChecking:
    """Finds `wrong` in messages about these invoices; `error` for all of them."""

    def __init__(self) -> None:
        self.wrong: set[str] = set()
        self.error: Exception | None = None
        self.calls = 0
        self.gate: defer.Deferred[None] | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def check(
        self, messages: Sequence[bytes], on: dt.date, partner: str
    ) -> tuple[tuple[Finding, ...], ...]:
        """What the test wants."""
        self.calls += 1
        if self.gate is not None:
            await self.gate
        if self.error is not None:
            raise self.error
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return tuple(
            (WRONG,) if any(f">{name}<".encode() in each for name in self.wrong) else ()
            for each in messages
        )


class Office:
    """A house with a sender of statuses."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.checking = FakeChecking()
        self.wanted = SINGLE
        self.known = {"acme", "other"}
        self.time = dt.timedelta()
        self.log = structlog.testing.CapturingLogger()

    def sender(self) -> StatusSender:
        """One that was just started, but for its loop."""
        return StatusSender(
            reactor,
            journal=self.house.journal,
            spool=self.house.spool,
            in_thread=deferToThread,
            checking=self.checking,
            partners={
                name: Partner(name=name, acknowledgements=self.wanted) for name in self.known
            },
            we=LegalIdentity(name="Passerelle", id="0123", application="AAA123"),
            inline_bytes=1_000_000,
            outbox_written=lambda: None,
            log=structlog.wrap_logger(self.log, processors=[]),
            now=lambda: self.house.now() + self.time,
        )

    async def send(
        self, judges: FakeJudges, members: Sequence[str] | None = None, state: str = "settled"
    ) -> str:
        """A file, or an archive of these members, as far as its report."""
        intake = await self.house.intake(judges, acknowledgements=self.wanted)
        arrival = self.house.arrival("FA-1.xml")
        if members is not None:
            files = [(f"{name}.xml", f"<a>{name}</a>".encode()) for name in members]
            arrival = self.house.arrival("batch.tar.gz", tar_gz(files))
        id_ = await intake.receive(arrival, Transport.SFTP)
        await self.house.reaches(id_, state)
        return id_

    async def again(self, id_: str) -> None:
        """Everything is delivered, then judged again for good."""
        for kind in ("document", "report"):
            rows = await self.house.outbox(id_, kind)
            await self.house.journal.write(
                "t", partial(settle.delivered, rows=rows, now=self.house.now())
            )
        await self.house.reaches(id_, "acknowledged")
        await self.house.journal.write(
            "t", lambda conn: take_back(conn, id_, None, self.house.now())
        )
        await self.house.intakes[-1].resume(id_, "acme")
        await self.house.reaches(id_, "settled")

    async def told(self, id_: str, destination: str = "sftp") -> list[tuple[str, str]]:
        """(number, status) of what was told, in its order."""
        found = []
        for row in await self.house.outbox(id_, "cdar"):
            if row.destination == destination:
                message = read(row.body, DocumentLimits())
                assert isinstance(message, MessageRead)
                assert message.message.id
                found += [(d.number or "", d.status or "") for d in message.message.documents]
        return found

    async def alerts(self, id_: str) -> list[dict[str, Any]]:
        """Bodies of what `edi.events` is told about statuses that are owed, in its order."""
        rows = await self.house.outbox(id_, "event")
        alerts = [row for row in rows if row.type == "edi.event.alert"]
        assert all(row.exchange == "edi.events" for row in alerts)
        assert len({row.message_id for row in alerts}) == len(alerts)
        return [json.loads(row.body) for row in alerts]

    async def owed(self, id_: str) -> given_records.Owed | None:
        """What is owed still."""
        owed: given_records.Owed | None = await self.house.journal.read(
            "t", lambda conn: given_records.owed_of(conn, id_)
        )
        return owed


@async_yield_fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """An office of its own."""
    house = House(tmp_path)
    await house.open()
    yield Office(house)
    for intake in house.intakes:
        await intake.stop(0)
    await house.journal.close()
