"""Intake on a folder of its own, with judges that say what a test tells them to."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import structlog
from twisted.internet import defer, reactor, task
from twisted.internet.threads import deferToThread

from gateway.config.settings import Intake as IntakeSettings
from gateway.config.settings import Judges as JudgeSettings
from gateway.core.container.archive import is_archive, unpack
from gateway.model.container import ContainerLimits
from gateway.model.job import DocumentLimits, JudgeAnswer, JudgeJob
from gateway.model.partner import Acknowledgements, Partner, Uniqueness
from gateway.model.verdict import (
    Accepted,
    Finding,
    Judgement,
    Layer,
    Rejected,
    Severity,
    Undetermined,
    Verdict,
)
from gateway.service.antivirus import Scanner
from gateway.service.intake import Intake
from gateway.service.journal import Journal, records
from gateway.spool import Spool

ANY = Uniqueness(envelope="accept", payload="accept", invoice="off")
"""Everything may be sent again: most tests look at other things."""
XML_ALONE = Acknowledgements(html="never")
"""One report, one file: most tests look at other things."""
JUDGING = JudgeSettings(attempts=3, retry_seconds=0.1)


class Arrival(msgspec.Struct):
    """A file as a receiver hands it over."""

    partner: str
    name: str
    path: Path
    sha256: str
    size: int


def finding(rule: str, layer: Layer) -> Finding:
    """An error."""
    return Finding(rule=rule, layer=layer, severity=Severity.ERROR, message="m")


ACCEPTED = Accepted(invoice=b'{"invoice_number":"FA-1"}')
REJECTED = Rejected((finding("BR-CO-15", Layer.SCHEMATRON),))
UNREADABLE = Rejected((finding("XML-EMPTY", Layer.XML),))
NO_PACK = Undetermined(cause="pack missing", remedy="import it")


class FakeJudges:
    """Answers with the verdicts the test lines up; the last one stays."""

    def __init__(self, *verdicts: Verdict | Exception) -> None:
        self.verdicts = list(verdicts)
        self.by_name: dict[str, Verdict | Exception] = {}
        self.cannot_open: list[Exception] = []
        self.opens = 0
        self.alone: list[str] = []
        self.jobs: list[JudgeJob] = []
        self.gate: defer.Deferred[None] | None = None

    async def judge(self, job: JudgeJob, *, alone: bool = False) -> JudgeAnswer:
        """The next verdict; an archive is really opened."""
        if job.unpack_to is not None:
            with Path(job.path).open("rb") as file:
                if is_archive(file.read(1024)):
                    file.seek(0)
                    return self.opened(job, file)
        self.jobs.append(job)
        self.alone += [job.name] if alone else []
        if self.gate is not None:
            await _one_of_many(self.gate)
        verdict = self.by_name.get(job.name)
        if verdict is None:
            verdict = self.next()
        if isinstance(verdict, Exception):
            raise verdict
        return JudgeAnswer(
            judgement=Judgement(
                document=job.name,
                sha256=job.sha256,
                size=job.size,
                flow="ctc-fr-invoice" if verdict is not UNREADABLE else None,
                syntax="ubl",
                document_type="invoice",
                profile=None,
                verdict=verdict,
            )
        )

    def next(self) -> Verdict | Exception:
        """The verdict lined up next."""
        return self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]

    def opened(self, job: JudgeJob, file: BinaryIO) -> JudgeAnswer:
        """What is in the archive."""
        self.opens += 1
        if self.cannot_open:
            raise self.cannot_open.pop()
        folder = Path(job.unpack_to or "")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        limits, documents = ContainerLimits(), DocumentLimits()
        return JudgeAnswer(unpacked=unpack(file, job.name, job.size, folder, limits, documents))


def _one_of_many(gate: defer.Deferred[None]) -> defer.Deferred[None]:
    """Fires with the gate. Cancelling it cancels this one job, as with real judges, no other."""
    mine: defer.Deferred[None] = defer.Deferred()

    def through(result: None) -> None:
        if not mine.called:
            mine.callback(None)

    gate.addCallback(through)
    return mine


class House:
    """A journal, a spool and an intake on a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(reactor, folder / "journal.sqlite")
        self.spool = Spool(folder / "spool")
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.woken = 0
        self.intakes: list[Intake] = []
        self.said = structlog.testing.CapturingLogger()

    async def open(self) -> None:
        """Start journal and spool."""
        await self.journal.open()
        self.spool.prepare()

    async def intake(
        self,
        judges: Any,
        *,
        inline_bytes: int = 1_000_000,
        scanner: Scanner | None = None,
        uniqueness: Uniqueness = ANY,
        acknowledgements: Acknowledgements = XML_ALONE,
        partners: Sequence[Partner] = (),
        **settings: Any,
    ) -> Intake:
        """A started intake with these judges; the partners are acme and other, or those given."""

        def wake() -> None:
            self.woken += 1

        intake = Intake(
            reactor,
            journal=self.journal,
            spool=self.spool,
            in_thread=deferToThread,
            judges=judges,
            partners={
                each.name: each
                for each in partners
                or [
                    Partner(
                        name=name,
                        flows=("ctc-fr-invoice",),
                        uniqueness=uniqueness,
                        acknowledgements=acknowledgements,
                    )
                    for name in ("acme", "other")
                ]
            },
            scratch=self.scratch,
            settings=IntakeSettings(**{"min_free_mb": 0, **settings}),
            judging=JUDGING,
            inline_bytes=inline_bytes,
            outbox_written=wake,
            log=structlog.wrap_logger(self.said, processors=[]),
            scanner=scanner,
        )
        await intake.start()
        self.intakes.append(intake)
        return intake

    @staticmethod
    def now() -> dt.datetime:
        """The time, as the journal wants it."""
        return dt.datetime.now(dt.UTC)

    def arrival(
        self, name: str = "a.xml", data: bytes = b"<a/>", *, partner: str = "acme"
    ) -> Arrival:
        """A file written by a receiver, not yet in the spool."""
        path = self.folder / f"upload-{len(list(self.folder.iterdir()))}"
        path.write_bytes(data)
        return Arrival(partner, name, path, hashlib.sha256(data).hexdigest(), len(data))

    async def row(self, id_: str) -> records.InterchangeRow:
        """The interchange's row."""
        found = await self.journal.read("t", lambda conn: records.interchange(conn, id_))
        assert found is not None
        return found

    async def document(self, id_: str) -> records.DocumentRow | None:
        """Its one document."""
        rows = await self.journal.read("t", lambda conn: records.documents_of(conn, id_))
        return rows[0] if rows else None

    async def documents(self, id_: str) -> list[records.DocumentRow]:
        """All its documents."""
        rows: list[records.DocumentRow] = await self.journal.read(
            "t", lambda conn: records.documents_of(conn, id_)
        )
        return rows

    async def outbox(self, id_: str, kind: str) -> list[records.OutboxRow]:
        """Its messages of one kind."""
        rows = await self.journal.read("t", lambda conn: records.outbox_of(conn, id_))
        return [row for row in rows if row.kind == kind]

    async def reaches(self, id_: str, state: str) -> records.InterchangeRow:
        """Wait, bounded, until the interchange stands in `state`."""
        for _ in range(500):
            row = await self.row(id_)
            if row.state == state:
                return row
            await task.deferLater(reactor, 0.02)
        raise AssertionError(f"still {row.state}, never {state}")
