"""A document's verdict: asked of the judges, written into the journal.

What the judges fail at is a judgement as well (undetermined), to be tried again or to be looked at
by a human; only when no judge can work at all is there none.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from traceback import format_exception
from typing import Any, NamedTuple, Protocol

import msgspec
from twisted.internet import defer

from gateway.config.settings import Judges as JudgeSettings
from gateway.core import uniqueness
from gateway.core.outcome import unreadable
from gateway.errors import GatewayError, WorkersBroken, WorkersStopped
from gateway.model.interchange import Interchange
from gateway.model.job import JudgeJob, Unpacked
from gateway.model.legal import LegalIdentity
from gateway.model.lifecycle import DocumentState
from gateway.model.partner import Partner, Statuses, Uniqueness
from gateway.model.publication import Publication
from gateway.model.verdict import Accepted, Judgement, VirusCheck
from gateway.service import consequences, repeats, settle, status_messages
from gateway.service.antivirus import Scanner
from gateway.service.attached import adopt_files, files_folder
from gateway.service.consequences import Subject
from gateway.service.journal import Journal
from gateway.service.judges import Judging
from gateway.service.lifecycle import Telling, telling_of
from gateway.service.line_metrics import LineMetrics
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
    """Asks the judges and writes what they say. `line` is the backlog the work comes from.

    `scratch`, on the spool's file system, is where judges put the files attached to invoices.
    `time_zone` is that of the times in lifecycle messages.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        spool: Spool,
        in_thread: Callable[..., Awaitable[Any]],
        judges: Judging,
        partners: Mapping[str, Partner],
        scratch: Path,
        judging: JudgeSettings,
        inline_bytes: int,
        outbox_written: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime],
        scanner: Scanner | None = None,
        time_zone: str = LegalIdentity().time_zone,
        metrics: LineMetrics,
    ) -> None:
        self._metrics = metrics
        self._journal = journal
        self._time_zone = time_zone
        self.statuses = Counter[str]()
        """Statuses that partners told, by how they stand (status_messages.word_for)."""
        self._spool = spool
        self._in_thread = in_thread
        self._judges = judges
        self._partners = partners
        self._scratch = scratch
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

    async def repetition(self, interchange: Interchange) -> Judgement | None:
        """The judgement on a file that its partner sent before; None: it may be opened.

        Of two that come at the same time this sees neither: their documents meet in `give`.
        """
        key = repeats.flux_of(interchange, self._policy(interchange))
        if key is None:
            return None
        finding = await self._journal.read(
            "flux_repeated", lambda conn: repeats.flux_repeated(conn, interchange, key)
        )
        if finding is None:
            return None
        name = interchange.envelope.name
        return unreadable(name, interchange.sha256, interchange.size, (finding,))

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
        files = files_folder(self._scratch, interchange.id, subject.ordinal)
        asked = msgspec.structs.replace(job(partner), files_to=str(files))
        try:
            answer = await self._judges.judge(asked, alone=alone)
        except WorkersStopped:
            return None
        except WorkersBroken as error:
            if self.line.hold(interchange.id, self._judging.retry_seconds):
                self.about(interchange, None).critical("no_judge", error=str(error))
            return None
        except GatewayError as error:
            await self._in_thread(shutil.rmtree, files, True)
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
        What it knows nothing of either is whether an accepted document was accepted before: then
        the judgement is another one than was said.
        A fault of ours in writing makes the document undetermined. Raises `JournalError` or
        `SpoolError`: then the row stands, to be tried again.
        """
        said = said._replace(judgement=_checked(said.judgement, check))
        try:
            await self._adopt_files(interchange, subject, said.judgement)
            return await self._unique(interchange, subject, said)
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
            return await self._write(interchange, subject, Said(failed), None), failed

    async def _adopt_files(
        self, interchange: Interchange, subject: Subject, judgement: Judgement
    ) -> None:
        """What was attached is durable before the journal, or any message, speaks of it."""
        if judgement.files:
            folder = files_folder(self._scratch, interchange.id, subject.ordinal)
            await self._in_thread(adopt_files, self._spool, folder, judgement.files)

    async def _unique(
        self, interchange: Interchange, subject: Subject, said: Said
    ) -> tuple[settle.Settled, Judgement]:
        """Write the verdict, unless the journal finds that the document repeats another."""
        policy = self._policy(interchange)
        claim = repeats.claim_of(interchange, said.judgement, policy)
        if _should_be_unique(said.judgement, claim, policy):
            told = uniqueness.with_finding(said.judgement, uniqueness.not_compared())
            said = said._replace(judgement=told)
        while True:
            settled = await self._write(interchange, subject, said, claim)
            if settled.repeated is None or claim is None:
                return settled, said.judgement
            judgement, claim = repeats.after(said.judgement, claim, settled.repeated)
            said = said._replace(judgement=judgement)

    def _policy(self, interchange: Interchange) -> Uniqueness:
        partner = self._partners.get(interchange.envelope.partner)
        return partner.uniqueness if partner is not None else Uniqueness()

    async def _write(
        self,
        interchange: Interchange,
        subject: Subject,
        said: Said,
        claim: repeats.Claim | None,
    ) -> settle.Settled:
        while True:
            telling = await self._telling(interchange, subject, said.judgement)
            settled = await self._try_to_write(interchange, subject, said, claim, telling)
            if not settled.stale:
                break
        if settled.repeated is not None:
            return settled
        judgement = said.judgement
        self._outbox_written()
        self._count_statuses(telling, settled)
        self._metrics.judged(
            interchange, judgement, settled.state, again=subject.revision > 0, now=self._now()
        )
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

    async def _telling(
        self, interchange: Interchange, subject: Subject, judgement: Judgement
    ) -> Telling | None:
        """What an accepted lifecycle message tells, as the journal stands; None for all others."""
        verdict = judgement.verdict
        if not isinstance(verdict, Accepted) or not verdict.message:
            return None
        message = verdict.message
        partner = self._partners.get(interchange.envelope.partner)
        rights = partner.statuses if partner is not None else Statuses()
        zone = self._time_zone
        telling: Telling = await self._journal.read(
            "weigh_statuses",
            lambda conn: telling_of(conn, interchange, subject, message, rights, zone),
        )
        return telling

    async def _try_to_write(
        self,
        interchange: Interchange,
        subject: Subject,
        said: Said,
        claim: repeats.Claim | None,
        telling: Telling | None,
    ) -> settle.Settled:
        now = self._now()
        judgement = said.judgement
        partner = self._partners.get(interchange.envelope.partner)
        result = consequences.result_of(
            interchange,
            subject,
            telling.result(judgement) if telling is not None else judgement,
            consequences.language_of(partner),
            now,
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
                claim=claim,
                telling=telling,
                now=now,
            ),
        )
        return settled

    def _count_statuses(self, telling: Telling | None, settled: settle.Settled) -> None:
        if telling is not None and settled.state is DocumentState.ACCEPTED:
            for one in telling.weighed:
                self.statuses[status_messages.word_for(one.standing, one.order)] += 1
        if settled.linked:
            self.statuses[status_messages.LINKED] += settled.linked

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


def _should_be_unique(
    judgement: Judgement, claim: repeats.Claim | None, policy: Uniqueness
) -> bool:
    """Whether it is an invoice that is to be compared with others and cannot be."""
    verdict = judgement.verdict
    wanted = claim is not None and claim.invoice is None and policy.invoice != "off"
    return wanted and isinstance(verdict, Accepted) and not verdict.message


def _checked(judgement: Judgement, check: VirusCheck) -> Judgement:
    return msgspec.structs.replace(judgement, virus_check=check)
