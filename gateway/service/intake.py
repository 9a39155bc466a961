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
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from twisted.internet import defer

from gateway.config.settings import Intake as IntakeSettings
from gateway.config.settings import Judges as JudgeSettings
from gateway.errors import Disposition, GatewayError, IntakeRefused, WorkersBroken, WorkersStopped
from gateway.model.interchange import Envelope, Interchange, Transport, new_interchange_id
from gateway.model.job import JudgeJob
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.partner import Partner
from gateway.model.verdict import Judgement, Undetermined
from gateway.service import settle
from gateway.service.journal import Journal, records
from gateway.service.spool import Spool


class Arrival(Protocol):
    """A file a receiver has written and fsynced on the spool's file system."""

    partner: str
    name: str
    path: Path
    sha256: str
    size: int


class Judging(Protocol):
    """Whatever judges."""

    async def judge(self, job: JudgeJob) -> Judgement:
        """Judge one payload."""
        ...


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
        self._reactor = reactor
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
        self._waiting: deque[str] = deque()
        self._known: set[str] = set()
        self._fresh: dict[str, Interchange] = {}
        self._running: dict[str, defer.Deferred[None]] = {}
        self._timers: dict[str, Any] = {}
        self._more_in_journal = False
        self._refilling = False
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
            name=arrival.name,
            size=arrival.size,
            sha256=arrival.sha256,
        )
        if receipt.new:
            self._outbox_written()
            self._enqueue(receipt.interchange_id, interchange)
        return str(receipt.interchange_id)

    def _refuse_when_full(self) -> None:
        """Refuse before promising anything when the disk is nearly full (looked at every 1 s)."""
        instant = time.monotonic()
        if instant - self._free_checked >= 1.0:
            self._free_checked, self._free_mb = instant, self._spool.free_mb()
        if self._free_mb < self._settings.min_free_mb:
            raise IntakeRefused(
                f"The disk under the state directory has only {self._free_mb} MB free"
                f" (intake.min_free_mb is {self._settings.min_free_mb}).",
                remedy="Free space on the gateway's disk; the partner sends the file again.",
            )

    # ---- the queue of interchanges to judge; the journal is the truth, this is its near end

    async def start(self) -> None:
        """Take up unfinished work, then open for new files."""
        await self._refill()
        self._open = True

    @property
    def in_flight(self) -> int:
        """How many interchanges are being judged now."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many known interchanges wait for a judge."""
        return len(self._waiting)

    async def stop(self, grace: float) -> None:
        """Take nothing new; let what is being judged finish for at most `grace` seconds.

        What does not finish stays in the journal and resumes at the next start.
        """
        self._open = False
        self._waiting.clear()
        self._fresh.clear()
        self._more_in_journal = False
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._timers.clear()
        if not self._running:
            return
        running = list(self._running.values())
        done: defer.Deferred[Any] = defer.DeferredList([_watch(d) for d in running])
        done.addTimeout(grace, self._reactor)
        try:
            await done
        except defer.TimeoutError:
            self._log.warning("drain_cut_short", unfinished=len(self._running))
            for deferred in list(self._running.values()):
                deferred.cancel()

    def _enqueue(self, interchange_id: str, fresh: Interchange | None = None) -> None:
        if interchange_id in self._known:
            return
        if len(self._waiting) >= 8 * self._settings.max_in_flight:
            self._more_in_journal = True
            return
        self._known.add(interchange_id)
        if fresh is not None:
            self._fresh[interchange_id] = fresh
        self._waiting.append(interchange_id)
        self._pump()

    def _pump(self) -> None:
        while self._waiting and len(self._running) < self._settings.max_in_flight:
            interchange_id = self._waiting.popleft()
            deferred = defer.Deferred.fromCoroutine(self._see_through(interchange_id))
            self._running[interchange_id] = deferred
            deferred.addErrback(self._went_wrong, interchange_id)
            deferred.addBoth(self._finished, interchange_id)
        if self._more_in_journal and not self._waiting and not self._refilling and self._open:
            defer.Deferred.fromCoroutine(self._refill()).addErrback(
                lambda failure: self._log.error("refill_failed", error=str(failure.value))
            )

    async def _refill(self) -> None:
        """Bring unfinished interchanges from the journal into the queue, a bounded number."""
        self._refilling = True
        try:
            limit = 4 * self._settings.max_in_flight
            after = ""
            while len(self._waiting) < limit:
                rows = await self._journal.read(
                    "unfinished",
                    partial(records.unfinished_interchanges, after=after, limit=limit),
                )
                for row in rows:
                    if row.id not in self._known:
                        self._known.add(row.id)
                        self._waiting.append(row.id)
                if len(rows) < limit:
                    self._more_in_journal = False
                    break
                after = rows[-1].id
            else:
                self._more_in_journal = True
        finally:
            self._refilling = False
        self._pump()

    def _finished(self, _: object, interchange_id: str) -> None:
        self._running.pop(interchange_id, None)
        if interchange_id not in self._timers:
            self._known.discard(interchange_id)
        self._pump()

    def _went_wrong(self, failure: Any, interchange_id: str) -> None:
        """A fault outside judging (the journal, most likely): the row stands, try again later."""
        if failure.check(defer.CancelledError):
            return
        self._log.error(
            "interchange_failed",
            interchange=interchange_id,
            error=str(failure.value),
            traceback=failure.getTraceback(),
        )
        self._again(interchange_id, self._judging.retry_seconds)

    def _again(self, interchange_id: str, seconds: float) -> None:
        """Put the interchange back into the queue after a while."""
        if self._open and interchange_id not in self._timers:
            self._timers[interchange_id] = self._reactor.callLater(
                max(0.0, seconds), self._due, interchange_id
            )

    def _due(self, interchange_id: str) -> None:
        self._timers.pop(interchange_id, None)
        self._known.discard(interchange_id)
        self._enqueue(interchange_id)

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
            await self._resume_close(interchange)
            return
        attempts = 0
        if documents:
            (document,) = documents
            if document.state == DocumentState.QUARANTINED:
                return
            attempts = document.attempts
            wait = (
                (document.next_attempt_at - self._now()).total_seconds()
                if (document.next_attempt_at is not None)
                else 0.0
            )
            if wait > 0:
                self._again(interchange_id, wait)
                return
        await self._decide(interchange, attempts)

    async def _decide(self, interchange: Interchange, attempts: int) -> None:
        partner = self._partners.get(interchange.envelope.partner)
        judgement = await self._judge(interchange, partner)
        if judgement is None:
            self._again(interchange.id, self._judging.retry_seconds)
            return
        await self._settle(interchange, partner, judgement, attempts + 1)

    async def _judge(self, interchange: Interchange, partner: Partner | None) -> Judgement | None:
        """The judgement; None when no judge can work now, which is no fault of the document."""
        job = JudgeJob(
            path=str(self._spool.path(interchange.sha256)),
            name=interchange.envelope.name,
            sha256=interchange.sha256,
            size=interchange.size,
            partner=interchange.envelope.partner,
            partner_flows=partner.flows if partner else (),
            on=interchange.envelope.received_at.date(),
        )
        try:
            return await self._judges.judge(job)
        except WorkersStopped:
            return None
        except WorkersBroken as error:
            self._log.critical("no_judge", interchange=interchange.id, error=str(error))
            return None
        except GatewayError as error:
            return settle.undetermined(
                interchange,
                Undetermined(
                    cause=error.what,
                    remedy=error.remedy,
                    transient=error.disposition is Disposition.RETRY,
                ),
            )

    async def _settle(
        self,
        interchange: Interchange,
        partner: Partner | None,
        judgement: Judgement,
        attempt: int,
    ) -> None:
        now = self._now()
        language = settle.language_of(partner)
        result = settle.result_of(interchange, judgement, language, now)
        if result is not None and len(result.body) > self._inline_bytes:
            stored = await self._in_thread(self._spool.store, [result.body])
            result = settle.as_claim_check(result, stored.sha256)
        retry = settle.retry_plan(judgement.verdict, attempt, self._judging, now)
        outcome = await self._journal.write(
            "settle_document",
            lambda conn: settle.settle_document(
                conn, interchange, judgement, result, attempt=attempt, retry=retry, now=now
            ),
        )
        self._outbox_written()
        self._log.info(
            "document_judged",
            interchange=interchange.id,
            partner=interchange.envelope.partner,
            flow=judgement.flow,
            document=1,
            verdict=outcome.state.value,
            findings=len(judgement.findings),
            cause=outcome.cause,
            attempt=attempt,
            timings_ms=judgement.timings_ms,
        )
        if outcome.again_at is not None:
            self._again(interchange.id, (outcome.again_at - now).total_seconds())
        elif outcome.documents_open == 0 or outcome.state is DocumentState.QUARANTINED:
            await self._close(interchange, [(1, outcome.state, judgement)], outcome.revision)

    async def _resume_close(self, interchange: Interchange) -> None:
        """Every document has its verdict since before the last stop, but nobody was told."""
        row, judged = await self._journal.read(
            "judgements", lambda conn: settle.judgements_of(conn, interchange.id)
        )
        await self._close(interchange, judged, row.report_revision + 1)

    async def _close(self, interchange: Interchange, judged: settle.Judged, revision: int) -> None:
        """Every document has its verdict (or is quarantined): write the acknowledgement."""
        now = self._now()
        closing = settle.closing_of(
            interchange,
            judged,
            settle.language_of(self._partners.get(interchange.envelope.partner)),
            revision=revision,
            now=now,
        )
        await self._journal.write(
            "close_interchange",
            lambda conn: settle.close_interchange(conn, interchange, closing, now=now),
        )
        self._outbox_written()
        self._log.info(
            "interchange_closed",
            interchange=interchange.id,
            partner=interchange.envelope.partner,
            flow=closing.flow,
            state=closing.state.value,
            report=closing.filename,
        )


def _watch(deferred: defer.Deferred[None]) -> defer.Deferred[None]:
    """A Deferred that fires with another one and whose cancelling leaves that one alone."""
    watcher: defer.Deferred[None] = defer.Deferred()

    def relay(result: Any) -> Any:
        if not watcher.called:
            watcher.callback(None)
        return result

    deferred.addBoth(relay)
    return watcher
