"""What becomes of files, without a gateway around: received, judged and settled in one journal.

Everything that decides is the real thing: opening, judging, what is unique, the report's facts, the
lifecycle messages. Left out is what carries it: processes, the spool, the outbox. The clock and the
ids are those of whoever sends.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from gateway.config import load_flows
from gateway.core.acknowledgement.flux_state import TechnicalError, technical_errors
from gateway.core.acknowledgement.report_facts import ReportDocument, document_of
from gateway.core.container.archive import is_archive, unpack
from gateway.core.container.manifest import read_manifest
from gateway.core.outcome import unreadable
from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.model.container import ContainerLimits, Role
from gateway.model.flow import Flow
from gateway.model.interchange import Envelope, Interchange, Transport, new_interchange_id
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.legal import LegalIdentity
from gateway.model.lifecycle import InterchangeState
from gateway.model.partner import Acknowledgements, Partner, Uniqueness
from gateway.model.verdict import Judgement, Language, Undetermined, VirusCheck
from gateway.service import arrive, consequences, repeats, settle
from gateway.service.consequences import Subject
from gateway.service.journal import records
from gateway.service.journal.engine import writer_engine
from gateway.service.journal.schema import upgrade
from gateway.service.scanning import UNSCANNED, Scanned
from gateway.service.status_composing import Composed, Composer

PARTNER = "demo"
FIRST = dt.datetime(2026, 9, 14, 8, 0, 5, tzinfo=dt.UTC)
"""When the first file comes; each of the others comes a minute after the one before it."""
WE = LegalIdentity(name="Passerelle de démonstration")


class Answer(NamedTuple):
    """A file, and all that is known of its documents at the end."""

    interchange: Interchange
    rows: list[records.DocumentRow]

    @property
    def documents(self) -> list[ReportDocument]:
        """As a report has them."""
        return [
            document_of(records.load_judgement(row), row.ordinal, row.state) for row in self.rows
        ]

    @property
    def errors(self) -> list[TechnicalError]:
        """Why the file, or one file in it, could not be used."""
        return [
            error
            for document in self.documents
            for error in technical_errors(document, self.interchange.sha256)
        ]

    @property
    def refused(self) -> bool:
        """Whether no invoice could be read in it."""
        states = [row.state for row in self.rows]
        ending = consequences.ending(
            {state: states.count(state) for state in states},
            unreadable=sum(
                consequences.is_unreadable(records.load_judgement(row)) for row in self.rows
            ),
        )
        return ending is InterchangeState.REFUSED

    @property
    def reported_at(self) -> dt.datetime:
        """When its report is made."""
        return self.interchange.envelope.received_at + dt.timedelta(seconds=2)

    def messages(self, language: Language) -> list[Composed]:
        """The lifecycle messages about it, as `status_sender` has them made."""
        partner = Partner(
            name=PARTNER,
            language=language,
            acknowledgements=Acknowledgements(cdar="single"),
        )
        composer = Composer(
            interchange=self.interchange, partner=partner, we=WE, at=self.reported_at
        )
        told = composer.messages(self.rows, {})
        return told + composer.refusal(self.errors, {}) if self.refused else told


class SentFiles:
    """Takes files in, one after the other. A context, which closes the journal in `folder`.

    `flow`: the one they are judged by, that of the name or one made for a test. `limits`,
    `container`: what judging and opening go by. `virus`: what a scanner finds in all of them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        flow: str | Flow = "ctc-fr-invoice",
        limits: DocumentLimits | None = None,
        container: ContainerLimits | None = None,
        virus: str | None = None,
    ) -> None:
        self._folder = folder
        self._flow = flow if isinstance(flow, str) else flow.name
        self._limits = limits or DocumentLimits()
        own = b"" if isinstance(flow, str) else msgspec.json.encode(flow)
        self._judge = _judge(self._limits, own)
        self._container = container or ContainerLimits()
        self._scanned = Scanned(VirusCheck.FOUND, virus) if virus else UNSCANNED
        self._engine = writer_engine(folder / "journal.sqlite")
        self._number = 0

    def __enter__(self) -> SentFiles:
        with self._engine.connect() as conn:
            upgrade(conn, self._folder)
            conn.commit()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._engine.dispose()

    def send(self, name: str, content: bytes, *, alike: bool = False) -> Answer:
        """Receive a file and settle every document in it.

        `alike`: its size and sum depend on the compressor of this machine, so others are noted.
        """
        number, self._number = self._number, self._number + 1
        at = FIRST + dt.timedelta(minutes=number)
        noted = name.encode() if alike else content
        interchange = Interchange(
            id=new_interchange_id(int(at.timestamp() * 1000), number.to_bytes(10, "big")),
            envelope=Envelope(partner=PARTNER, name=name, transport=Transport.SFTP, received_at=at),
            sha256=hashlib.sha256(noted).hexdigest(),
            size=15000 if alike else len(content),
        )
        with self._engine.begin() as conn:
            assert arrive.receive(conn, interchange, at).new, "an honest resend is not judged"
            for subject, judgement in self._judged(conn, interchange, content):
                assert not isinstance(judgement.verdict, Undetermined), judgement
                _settle(conn, interchange, subject, judgement)
            return Answer(interchange, records.documents_of(conn, interchange.id))

    def _judged(
        self, conn: Connection, interchange: Interchange, content: bytes
    ) -> Iterator[tuple[Subject, Judgement]]:
        """The documents of a file in their order, as `service.journey` has them judged."""
        whole = consequences.payload_of(interchange)
        barred = self._scanned.bars(whole) or _repeated(conn, interchange)
        if barred is not None:
            yield whole, barred
        elif is_archive(content):
            yield from self._members(conn, interchange, content)
        else:
            job = self._job(interchange, whole)
            if len(content) > self._limits.max_bytes:
                yield whole, self._judge.refuse_size(job)
            else:
                yield whole, self._judge.judge(job, content)

    def _members(
        self, conn: Connection, interchange: Interchange, content: bytes
    ) -> Iterator[tuple[Subject, Judgement]]:
        whole = consequences.payload_of(interchange)
        scratch = self._folder / interchange.id
        scratch.mkdir()
        file = io.BytesIO(content)
        opened = unpack(file, whole.name, len(content), scratch, self._container, self._limits)
        if opened.refused is not None:
            yield whole, unreadable(whole.name, whole.sha256, whole.size, (opened.refused,))
            return
        members = [each for each in read_manifest(scratch) if each.role is Role.DOCUMENT]
        listed = list(enumerate(members, 1))
        now = interchange.envelope.received_at
        arrive.enter_members(conn, interchange, listed, (), last=True, now=now)
        for ordinal, member in listed:
            subject = Subject(
                ordinal=ordinal,
                name=member.name,
                sha256=member.sha256,
                size=member.size,
                position=member.position,
            )
            if member.findings:
                yield (
                    subject,
                    unreadable(member.name, member.sha256, member.size, member.findings),
                )
                continue
            job = msgspec.structs.replace(self._job(interchange, subject), archive=whole.name)
            data = (scratch / str(member.position)).read_bytes()
            yield subject, self._judge.judge(job, data)

    def _job(self, interchange: Interchange, subject: Subject) -> JudgeJob:
        return JudgeJob(
            path="",
            name=subject.name,
            sha256=subject.sha256,
            size=subject.size,
            partner=PARTNER,
            partner_flows=(self._flow,),
            on=interchange.judged_on,
        )


@functools.cache
def _judge(limits: DocumentLimits, flow: bytes) -> Judge:
    """One that has compiled what it needed before. `flow`: the only one it knows, as JSON."""
    flows = [msgspec.json.decode(flow, type=Flow)] if flow else load_flows().values()
    return Judge(flows, Catalogue.load(), limits)


def _repeated(conn: Connection, interchange: Interchange) -> Judgement | None:
    """That the file itself was sent before."""
    key = repeats.flux_of(interchange, Uniqueness())
    finding = None if key is None else repeats.flux_repeated(conn, interchange, key)
    if finding is None:
        return None
    name = interchange.envelope.name
    return unreadable(name, interchange.sha256, interchange.size, (finding,))


def _settle(
    conn: Connection, interchange: Interchange, subject: Subject, judgement: Judgement
) -> None:
    """Write the verdict, or that the document repeats another one."""
    claim = repeats.claim_of(interchange, judgement, Uniqueness())
    while True:
        facts: dict[str, Any] = {
            "retry": None,
            "claim": claim,
            "now": interchange.envelope.received_at,
        }
        settled = settle.settle_document(conn, interchange, subject, judgement, None, **facts)
        if settled.repeated is None or claim is None:
            return
        judgement, claim = repeats.after(judgement, claim, settled.repeated)
