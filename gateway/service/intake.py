"""The one place that sequences a file's journey: receive → spool → journal → judge → settle.

`receive` returns only when bytes and journal row are on disk; whoever called it may then tell
the partner "received". Everything after that is driven by what the journal holds, so that a
crash at any moment loses nothing: at start-up `start` takes up every unfinished interchange
where it stands, and every step is safe to run twice.

    received ──judge──▶ opened, document extracted ─▶ accepted | rejected   one transaction
                                                   └▶ undetermined ─▶ again later, or quarantined
    no document open ─▶ judged ─▶ settled | refused, with the acknowledgement   one transaction
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from traceback import format_exception
from typing import Any, Protocol

from twisted.internet import defer

from gateway.config.settings import Intake as IntakeSettings
from gateway.config.settings import Judges as JudgeSettings
from gateway.errors import GatewayError, IntakeRefused, WorkersBroken, WorkersStopped
from gateway.model.interchange import Envelope, Interchange, Transport, new_interchange_id
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.partner import Partner
from gateway.model.publication import Publication
from gateway.model.verdict import Judgement
from gateway.service import consequences, settle
from gateway.service.backlog import Backlog
from gateway.service.journal import Journal, records
from gateway.service.judges import Judging, job_for
from gateway.service.spool import Spool, StoredPayload


class Arrival(Protocol):
    """A file a receiver has written and fsynced on the spool's file system."""

    partner: str
    name: str
    path: Path
    sha256: str
    size: int


InThread = Callable[..., Awaitable[Any]]
"""Runs a blocking function in the spool's own threads."""


class Intake:
    """Takes files in and sees each through to its verdict."""

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal,
        spool: Spool,
        in_thread: InThread,
        judges: Judging,
        partners: Mapping[str, Partner],
        settings: IntakeSettings,
        judging: JudgeSettings,
        inline_bytes: int,
        outbox_written: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._judges = judges
        self._partners = partners
        self._settings = settings
        self._judging = judging
        self._inline_bytes = inline_bytes
        self._outbox_written = outbox_written
        self._log = log
        self._now = now
        self._backlog = Backlog(
            reactor,
            journal=journal,
            work=self._see_through,
            max_in_flight=settings.max_in_flight,
            retry_seconds=judging.retry_seconds,
            log=log,
        )
        self._fresh: dict[str, Interchange] = {}
        """Received a moment ago and queued: these need not be looked up again."""
        self._open = False
        self._free_checked = -1.0
        self._free_mb = 0

    # ---- receiving

    async def receive(self, arrival: Arrival, transport: Transport) -> str:
        """Make a file ours: the interchange id, once bytes and journal row are on disk.

        A resend of the same bytes under the same name by the same partner finds the interchange
        it already made. Raises `IntakeRefused`, `SpoolError` or `JournalError`: then nothing was
        promised and the partner still owns the file.
        """
        if not self._open:
            raise IntakeRefused(
                "The gateway is stopping and takes no new files.", remedy="Send it again later."
            )
        self._refuse_when_full()
        now = self._now()
        interchange = Interchange(
            id=new_interchange_id(int(now.timestamp() * 1000), os.urandom(10)),
            envelope=Envelope(
                partner=arrival.partner, name=arrival.name, transport=transport, received_at=now
            ),
            sha256=arrival.sha256,
            size=arrival.size,
        )
        await self._in_thread(self._spool.adopt, arrival.path, arrival.sha256, arrival.size)
        receipt = await self._journal.write(
            "receive", lambda conn: settle.receive(conn, interchange, now)
        )
        self._log.info(
            "interchange_received" if receipt.new else "interchange_resent",
            interchange=receipt.interchange_id,
            partner=arrival.partner,
            flow=None,
            name=arrival.name,
            size=arrival.size,
            sha256=arrival.sha256,
        )
        if receipt.new:
            self._outbox_written()
            if self._backlog.add(receipt.interchange_id):
                self._fresh[receipt.interchange_id] = interchange
        return str(receipt.interchange_id)

    def _refuse_when_full(self) -> None:
        """Refuse before promising anything when the disk is nearly full (looked at every 1 s)."""
        instant = time.monotonic()
        if instant - self._free_checked >= 1.0:
            self._free_checked, self._free_mb = instant, self._spool.free_mb()
        if self._free_mb < self._settings.min_free_mb:
            raise IntakeRefused(  # whose first sentence the partner reads
                "The gateway is short of disk space and takes no new files now.",
                remedy=f"Free space: {self._free_mb} MB are left, intake.min_free_mb is"
                f" {self._settings.min_free_mb}. The partner sends the file again.",
            )

    async def start(self) -> None:
        """Take up unfinished work, then open for new files."""
        await self._backlog.start()
        self._open = True

    async def stop(self, grace: float) -> None:
        """Take nothing new; let what is being judged finish for at most `grace` seconds.

        What does not finish stays in the journal and resumes at the next start.
        """
        self._open = False
        self._fresh.clear()
        await self._backlog.stop(grace)

    @property
    def in_flight(self) -> int:
        """How many interchanges are being judged now."""
        return self._backlog.in_flight

    @property
    def waiting(self) -> int:
        """How many known interchanges wait for a judge."""
        return self._backlog.waiting

    # ---- one interchange, from wherever it stands

    async def _see_through(self, interchange_id: str) -> None:
        fresh = self._fresh.pop(interchange_id, None)
        if fresh is not None:  # received a moment ago: nothing to look up
            await self._decide(fresh, attempts=0)
            return
        row, documents = await self._journal.read(
            "interchange",
            lambda conn: (
                records.interchange(conn, interchange_id),
                records.documents_of(conn, interchange_id),
            ),
        )
        if row is None or row.state not in (InterchangeState.RECEIVED, InterchangeState.OPENED):
            return
        interchange = row.interchange()
        if row.state == InterchangeState.OPENED and row.documents_open == 0:
            await self._resume_close(interchange, row.flow)
            return
        attempts = 0
        if documents:
            (document,) = documents
            if document.state == DocumentState.QUARANTINED:
                await self._resume_close(interchange, row.flow)
                return
            attempts = document.attempts
            wait = (
                (document.next_attempt_at - self._now()).total_seconds()
                if (document.next_attempt_at is not None)
                else 0.0
            )
            if wait > 0:
                self._backlog.again(interchange_id, wait)
                return
        await self._decide(interchange, attempts)

    async def _decide(self, interchange: Interchange, attempts: int) -> None:
        partner = self._partners.get(interchange.envelope.partner)
        flow: str | None = None
        try:
            judgement = await self._judge(interchange, partner)
            if judgement is None:
                return
            flow = judgement.flow
            await self._settle(interchange, partner, judgement, attempts + 1)
        except defer.CancelledError:
            raise
        except Exception as error:
            self._failed(interchange, flow, error)

    async def _judge(self, interchange: Interchange, partner: Partner | None) -> Judgement | None:
        """The judgement; None when no judge can work now, which is no fault of the document.

        Then the whole backlog waits: asking for each of thousands, again and again, would only
        fill memory and the log.
        """
        if partner is None:
            # Without it no flow would match, and a rejection would blame the partner for ours.
            return consequences.without_partner(interchange)
        path = self._spool.path(interchange.sha256)
        try:
            return await self._judges.judge(job_for(interchange, partner, path))
        except WorkersStopped:
            return None
        except WorkersBroken as error:
            if self._backlog.hold(interchange.id, self._judging.retry_seconds):
                self._about(interchange, None).critical(
                    "no_judge", waiting=self.waiting, error=str(error)
                )
            return None
        except GatewayError as error:
            return consequences.failed_by(interchange, error)

    async def _settle(
        self,
        interchange: Interchange,
        partner: Partner | None,
        judgement: Judgement,
        attempt: int,
    ) -> None:
        now = self._now()
        language = consequences.language_of(partner)
        result = consequences.result_of(interchange, judgement, language, now)
        stored = await self._store_if_large(result)
        retry = consequences.retry_plan(judgement.verdict, attempt, self._judging, now)
        outcome = await self._journal.write(
            "settle_document",
            lambda conn: settle.settle_document(
                conn,
                interchange,
                judgement,
                result,
                attempt=attempt,
                retry=retry,
                stored=stored,
                now=now,
            ),
        )
        self._outbox_written()
        self._about(interchange, judgement.flow).info(
            "document_judged",
            document=1,
            verdict=outcome.state.value,
            findings=len(judgement.findings),
            cause=outcome.cause,
            attempt=attempt,
            timings_ms=judgement.timings_ms,
        )
        if outcome.again_at is not None:
            self._backlog.again(interchange.id, (outcome.again_at - now).total_seconds())
        elif outcome.documents_open == 0 or outcome.state is DocumentState.QUARANTINED:
            await self._close(interchange, [(1, outcome.state, judgement)], outcome.revision)

    async def _store_if_large(self, publication: Publication | None) -> StoredPayload | None:
        """A body too large for a message, in the spool; None when it may travel inside."""
        if publication is None or len(publication.body) <= self._inline_bytes:
            return None
        stored: StoredPayload = await self._in_thread(self._spool.store, [publication.body])
        return stored

    async def _resume_close(self, interchange: Interchange, flow: str | None) -> None:
        """Every document has its verdict since before the last stop, but nobody was told."""
        try:
            row, judged = await self._journal.read(
                "judgements", lambda conn: settle.judgements_of(conn, interchange.id)
            )
            await self._close(interchange, judged, row.report_revision + 1)
        except defer.CancelledError:
            raise
        except Exception as error:
            self._failed(interchange, flow, error)

    async def _close(
        self, interchange: Interchange, judged: consequences.Judged, revision: int
    ) -> None:
        """Every document has its verdict (or is quarantined): write the acknowledgement."""
        now = self._now()
        closing = consequences.closing_of(
            interchange,
            judged,
            consequences.language_of(self._partners.get(interchange.envelope.partner)),
            revision=revision,
            now=now,
        )
        stored = await self._store_if_large(closing.report)
        await self._journal.write(
            "close_interchange",
            lambda conn: settle.close_interchange(
                conn, interchange, closing, stored=stored, now=now
            ),
        )
        self._outbox_written()
        self._about(interchange, closing.flow).info(
            "interchange_closed", state=closing.state.value, report=closing.filename
        )

    # ---- what is said in the log

    def _about(self, interchange: Interchange, flow: str | None) -> Any:
        """The log, with what every line about an interchange carries; no flow before routing."""
        return self._log.bind(
            interchange=interchange.id, partner=interchange.envelope.partner, flow=flow
        )

    def _failed(self, interchange: Interchange, flow: str | None, error: Exception) -> None:
        """A fault outside judging (the journal, most likely): the row stands, try again later."""
        self._about(interchange, flow).error(
            "interchange_failed", error=str(error), traceback="".join(format_exception(error))
        )
        self._backlog.again(interchange.id, self._judging.retry_seconds)
