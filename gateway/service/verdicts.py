"""A document's verdict: asked of the judges, written into the journal.

What the judges fail at is a judgement as well (undetermined), to be tried again or to be looked at
by a human; only when no judge can work at all is there none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from traceback import format_exception
from typing import Any, NamedTuple, Protocol

import msgspec
from twisted.internet import defer

from gateway.config.settings import Judges as JudgeSettings
from gateway.errors import GatewayError, WorkersBroken, WorkersStopped
from gateway.model.interchange import Interchange
from gateway.model.job import JudgeJob, Unpacked
from gateway.model.partner import Partner
from gateway.model.publication import Publication
from gateway.model.verdict import Judgement, VirusCheck
from gateway.service import consequences, settle
from gateway.service.antivirus import Scanner
from gateway.service.consequences import Subject
from gateway.service.journal import Journal
from gateway.service.judges import Judging
from gateway.service.scanning import Scanned, look
from gateway.spool import Spool, StoredPayload


class Waiting(Protocol):
    """What a journey asks of the backlog it came from."""

    def again(self, interchange_id: str, seconds: float) -> None:
        """Take the interchange up again after a while."""

    def hold(self, interchange_id: str, seconds: float) -> bool:
        """Nothing can be judged now: put this one back. True if that is news."""


class Said(NamedTuple):
    """A judgement, and whether the judge was lost to the document."""

    judgement: Judgement
    lethal: bool = False


class Verdicts:
    """Asks the judges and writes what they say. `line` is the backlog the work comes from."""

    def __init__(
        self,
        *,
        journal: Journal,
        spool: Spool,
        in_thread: Callable[..., Awaitable[Any]],
        judges: Judging,
        partners: Mapping[str, Partner],
        judging: JudgeSettings,
        inline_bytes: int,
        outbox_written: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime],
        scanner: Scanner | None = None,
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._judges = judges
        self._partners = partners
        self._judging = judging
        self._inline_bytes = inline_bytes
        self._outbox_written = outbox_written
        self._log = log
        self._now = now
        self._scanner = scanner
        self.line: Waiting

    async def scan(self, interchange: Interchange) -> Scanned:
        """What the virus scanner says of the payload as received, archives included."""
        path = self._spool.path(interchange.sha256)
        scanned = await look(self._scanner, path, interchange.size)
        if scanned.signature is not None:
            self.about(interchange, None).warning("virus_found", signature=scanned.signature)
        return scanned

    async def ask(
        self, interchange: Interchange, subject: Subject, job: Callable[[Partner], JudgeJob]
    ) -> Said | Unpacked | None:
        """What the judges say; None when none can work now, which is no fault of the document.

        Then the whole backlog waits: asking for each of thousands, again and again, would only
        fill memory and the log.
        """
        partner = self._partners.get(interchange.envelope.partner)
        if partner is None:
            # Without it no flow would match, and a rejection would blame the partner for ours.
            return Said(consequences.without_partner(interchange, subject))
        alone = subject.lethal > 0 or subject.size >= self._judging.large_bytes
        try:
            answer = await self._judges.judge(job(partner), alone=alone)
        except WorkersStopped:
            return None
        except WorkersBroken as error:
            if self.line.hold(interchange.id, self._judging.retry_seconds):
                self.about(interchange, None).critical("no_judge", error=str(error))
            return None
        except GatewayError as error:
            failed = consequences.failed_by(subject, error)
            return Said(failed, lethal=consequences.is_lethal(error))
        if answer.judgement is not None:
            return Said(answer.judgement)
        return answer.unpacked

    async def give(
        self,
        interchange: Interchange,
        subject: Subject,
        said: Said,
        check: VirusCheck = VirusCheck.NOT_CHECKED,
    ) -> tuple[settle.Settled, Judgement]:
        """Write the verdict: where the document stands, and the judgement that put it there.

        `check`: what came of looking for a virus in the payload, which the judge knows nothing of.
        A fault of ours in writing makes the document undetermined. Raises `JournalError` or
        `SpoolError`: then the row stands, to be tried again.
        """
        said = said._replace(judgement=_checked(said.judgement, check))
        try:
            return await self._write(interchange, subject, said), said.judgement
        except (GatewayError, defer.CancelledError):
            raise
        except Exception as error:
            self.about(interchange, said.judgement.flow).error(
                "document_not_settled",
                document=subject.ordinal,
                error=str(error),
                traceback="".join(format_exception(error)),
            )
            failed = _checked(consequences.failed_by(subject, error), check)
            return await self._write(interchange, subject, Said(failed)), failed

    async def _write(
        self, interchange: Interchange, subject: Subject, said: Said
    ) -> settle.Settled:
        now = self._now()
        judgement = said.judgement
        partner = self._partners.get(interchange.envelope.partner)
        result = consequences.result_of(
            interchange, subject, judgement, consequences.language_of(partner), now
        )
        stored = await self._store_if_large(result)
        retry = consequences.retry_plan(
            judgement.verdict, subject, self._judging, now, lethal=said.lethal
        )
        settled: settle.Settled = await self._journal.write(
            "settle_document",
            lambda conn: settle.settle_document(
                conn,
                interchange,
                subject,
                judgement,
                result,
                retry=retry,
                stored=stored,
                now=now,
            ),
        )
        self._outbox_written()
        self.about(interchange, judgement.flow).info(
            "document_judged",
            document=subject.ordinal,
            verdict=settled.state.value,
            findings=len(judgement.findings),
            cause=settled.cause,
            attempt=subject.attempts + 1,
            timings_ms=judgement.timings_ms,
        )
        return settled

    async def _store_if_large(self, publication: Publication | None) -> StoredPayload | None:
        """A body too large for a message, in the spool; None when it may travel inside."""
        if publication is None or len(publication.body) <= self._inline_bytes:
            return None
        stored: StoredPayload = await self._in_thread(self._spool.store, [publication.body])
        return stored

    def about(self, interchange: Interchange, flow: str | None) -> Any:
        """The log, with what every line about an interchange carries; no flow before routing."""
        return self._log.bind(
            interchange=interchange.id, partner=interchange.envelope.partner, flow=flow
        )


def _checked(judgement: Judgement, check: VirusCheck) -> Judgement:
    return msgspec.structs.replace(judgement, virus_check=check)
