"""One interchange from wherever it stands to its end: open, judge, settle, close.

    payload ──judge──▶ a document, judged            ─▶ settled ─▶ closed
                └────▶ an archive, unpacked ─▶ members entered ─▶ each judged and settled ─▶ closed

Every step is safe to run twice, for a crash may come between any two of them. The members of an
archive lie unpacked in a scratch folder, which is not durable and need not be: the archive itself
is in the spool, and unpacking it again gives the same members in the same order.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from traceback import format_exception
from typing import Any

from twisted.internet import defer

from gateway.config.settings import Intake as IntakeSettings
from gateway.core.container.manifest import MANIFEST
from gateway.core.outcome import unreadable
from gateway.errors import JournalError
from gateway.model.interchange import Interchange
from gateway.model.job import Unpacked
from gateway.model.lifecycle import InterchangeState
from gateway.model.verdict import Judgement
from gateway.service import answering, consequences, settle
from gateway.service.closing import Closer, Ended
from gateway.service.consequences import Subject
from gateway.service.journal import Journal, records
from gateway.service.judges import job_for, member_job
from gateway.service.line_metrics import LineMetrics
from gateway.service.members import Due, enter
from gateway.service.scanning import Scanned
from gateway.service.verdicts import Said, Verdicts
from gateway.spool import Spool

NO_ROOM_SECONDS = 30.0
"""Pause before an archive is unpacked again that the disk had no room for."""

WIDTH = 48
"""Members of one archive on their way at once: enough that judges never wait for the journal."""


class Journey:
    """Sees interchanges through."""

    def __init__(
        self,
        verdicts: Verdicts,
        closer: Closer,
        *,
        journal: Journal,
        spool: Spool,
        in_thread: Callable[..., Awaitable[Any]],
        scratch: Path,
        settings: IntakeSettings,
        retry_seconds: float,
        outbox_written: Callable[[], None],
        now: Callable[[], dt.datetime],
        metrics: LineMetrics,
    ) -> None:
        self._metrics = metrics
        self._verdicts = verdicts
        self._closer = closer
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._scratch = scratch
        self._settings = settings
        self._retry_seconds = retry_seconds
        self._outbox_written = outbox_written
        self._now = now
        self._about = verdicts.about
        self._scanned: dict[str, Scanned] = {}
        """Of the archives that lie unpacked. Gone after a crash, like these: both are made anew."""

    async def begin(self, interchange: Interchange) -> None:
        """Judge what was received a moment ago: there is nothing to look up."""
        await self._guarded(
            interchange, None, self._take(interchange, consequences.payload_of(interchange))
        )

    async def resume(self, interchange_id: str) -> None:
        """Go on with an interchange from where the journal says it stands."""
        row, first = await self._journal.read(
            "interchange",
            lambda conn: (
                records.interchange(conn, interchange_id),
                records.document(conn, interchange_id, 1),
            ),
        )
        if row is None or row.state not in (InterchangeState.RECEIVED, InterchangeState.OPENED):
            return
        await self._guarded(row.interchange(), row.flow, self._go_on(row, first))

    async def _go_on(self, row: records.InterchangeRow, first: records.DocumentRow | None) -> None:
        interchange = row.interchange()
        if first is None:
            await self._take(interchange, consequences.payload_of(interchange))
        elif first.position is not None:
            scanned = self._scanned.get(interchange.id)
            unpacked = await self._in_thread((self._folder(interchange) / MANIFEST).is_file)
            if row.state == InterchangeState.OPENED and unpacked and scanned is not None:
                await self._members(interchange, row.flow, scanned)
            else:
                subject = consequences.payload_of(interchange, revision=first.revision)
                await self._take(interchange, subject, entered=True)
        elif first.state not in settle.WAITING:
            await self._close(interchange)
        elif (wait := self._wait(first.next_attempt_at)) > 0:
            await self._again(interchange, row.flow, wait)
        else:
            subject = consequences.payload_of(
                interchange,
                attempts=first.attempts,
                lethal=first.lethal,
                revision=first.revision,
            )
            await self._take(interchange, subject)

    # ---- the payload

    async def _take(
        self, interchange: Interchange, subject: Subject, *, entered: bool = False
    ) -> None:
        """Have the payload scanned, then judged, or opened when it is an archive.

        `entered`: it is an archive with members in the journal. They answer for it when the
        scanner bars it: it may know more viruses than before the crash that brought us here.
        """
        scanned = await self._verdicts.scan(interchange)
        barred = scanned.bars(subject)
        if barred is not None and entered:
            await self._members(interchange, None, scanned)
            return
        if barred is None and not entered:
            barred = await self._verdicts.repetition(interchange)
        answer: Said | Unpacked | None
        if barred is not None:
            answer = Said(barred)
        else:
            answer = await self._verdicts.ask(
                interchange,
                subject,
                lambda partner: job_for(
                    interchange,
                    partner,
                    self._spool.path(interchange.sha256),
                    unpack_to=self._folder(interchange),
                    disk_bytes=(self._spool.free_mb() - self._settings.min_free_mb) * 1_000_000,
                ),
            )
        if isinstance(answer, Unpacked) and answer.no_room is not None:
            # Nobody's attempt: it waits, durable, until there is room.
            self._about(interchange, None).warning("no_room_to_unpack", error=answer.no_room)
            await self._in_thread(shutil.rmtree, self._folder(interchange), True)
            self._verdicts.line.again(interchange.id, NO_ROOM_SECONDS)
            return
        if isinstance(answer, Unpacked):
            if answer.refused is None and answer.documents:
                documents = await enter(
                    interchange,
                    self._folder(interchange),
                    journal=self._journal,
                    in_thread=self._in_thread,
                    now=self._now,
                )
                self._outbox_written()
                self._about(interchange, None).info("archive_opened", documents=documents)
                self._scanned[interchange.id] = scanned
                await self._members(interchange, None, scanned)
                return
            answer = Said(_shut(interchange, answer))
        if answer is None:
            return
        settled, judgement = await self._verdicts.give(interchange, subject, answer, scanned.check)
        if settled.again_at is not None:
            await self._again(interchange, judgement.flow, self._wait(settled.again_at))
        else:
            if judgement.flow is None:
                # Not known to be a document: an archive that was refused, or that cost its judge
                # too often, leaves behind what was unpacked until then.
                await self._in_thread(shutil.rmtree, self._folder(interchange), True)
            ended = Ended(subject, settled.state, judgement)
            await self._close(interchange, ended, settled.revision)

    # ---- the members of an archive

    async def _members(self, interchange: Interchange, flow: str | None, scanned: Scanned) -> None:
        """Judge every member that is due, several at a time; close when none is left."""
        due = Due(self._journal, interchange.id, self._now())
        lanes = [
            defer.Deferred.fromCoroutine(self._lane(interchange, due, scanned))
            for _ in range(WIDTH)
        ]
        outcomes: list[tuple[bool, Any]] = await defer.DeferredList(lanes, consumeErrors=True)
        for succeeded, outcome in outcomes:
            if not succeeded:
                outcome.raiseException()
        if due.stopped:
            return
        states, next_attempt = await self._journal.read(
            "document_states",
            lambda conn: (
                records.document_states(conn, interchange.id),
                records.next_attempt_of(conn, interchange.id),
            ),
        )
        if any(states.get(state) for state in settle.WAITING):
            await self._again(interchange, flow, self._wait(next_attempt))
        else:
            await self._close(interchange)

    async def _lane(self, interchange: Interchange, due: Due, scanned: Scanned) -> None:
        """Judge one member after the other. A failure here stops the other lanes as well."""
        try:
            while (document := await due.take()) is not None:
                if not await self._member(interchange, document, scanned):
                    due.stopped = True
        except BaseException:
            due.stopped = True
            raise

    async def _member(
        self, interchange: Interchange, document: records.DocumentRow, scanned: Scanned
    ) -> bool:
        """Judge and settle one member; False when no judge can work now."""
        subject = Subject(
            ordinal=document.ordinal,
            name=document.name,
            sha256=document.sha256,
            size=document.size,
            position=document.position,
            attempts=document.attempts,
            lethal=document.lethal,
            revision=document.revision,
        )
        said: Said | Unpacked | None
        if document.verdict == "rejected":  # it could not be used, as opening the archive found
            said = Said(records.load_judgement(document))
        elif (barred := scanned.bars(subject)) is not None:
            said = Said(barred)
        else:
            said = await self._verdicts.ask(
                interchange,
                subject,
                lambda partner: member_job(
                    interchange,
                    partner,
                    self._folder(interchange) / str(document.position),
                    name=document.name,
                    sha256=document.sha256,
                    size=document.size,
                ),
            )
        if not isinstance(said, Said):
            return False
        await self._verdicts.give(interchange, subject, said, scanned.check)
        return True

    # ---- the end

    async def _close(
        self, interchange: Interchange, ended: Ended | None = None, revision: int = 0
    ) -> None:
        """Every document has its verdict (or is quarantined): write the acknowledgement."""
        closing: answering.Closing | None
        if ended is not None:
            closing = await self._closer.close_one(interchange, ended, revision=revision)
        else:
            closing = await self._closer.close(interchange)
            self._scanned.pop(interchange.id, None)
            await self._in_thread(shutil.rmtree, self._folder(interchange), True)
        self._told("interchange_closed", interchange, closing)

    async def _again(self, interchange: Interchange, flow: str | None, wait: float) -> None:
        """Some documents are tried later; the partner is told of the others before long."""
        deadline = interchange.envelope.received_at + dt.timedelta(
            seconds=self._settings.provisional_seconds
        )
        row = await self._journal.read("row", lambda c: records.interchange(c, interchange.id))
        if row is not None and row.report_revision == 0:
            if self._wait(deadline) <= 0:
                closing = await self._closer.close(interchange, ended=False)
                self._told("interchange_provisional", interchange, closing)
            else:
                wait = min(wait, self._wait(deadline))
        self._verdicts.line.again(interchange.id, wait)

    def _told(
        self, event: str, interchange: Interchange, closing: answering.Closing | None
    ) -> None:
        if closing is not None:
            self._outbox_written()
            state = closing.state.value if closing.state else None
            if closing.state is not None:
                self._metrics.closed(interchange, closing.flow, closing.state, self._now())
            self._about(interchange, closing.flow).info(
                event,
                state=state,
                report=closing.reports[0].filename,
                forms=[form.filename.rpartition(".")[2] for form in closing.reports],
            )

    # ---- small things

    def _folder(self, interchange: Interchange) -> Path:
        """Where the interchange's members lie while it is open."""
        return self._scratch / interchange.id

    def _wait(self, until: dt.datetime | None) -> float:
        """Seconds from now; 0 for no time or one that has passed."""
        return 0.0 if until is None else max(0.0, (until - self._now()).total_seconds())

    async def _guarded(
        self, interchange: Interchange, flow: str | None, step: Awaitable[None]
    ) -> None:
        """A fault outside judging (the journal, most likely): the row stands, try again later."""
        try:
            await step
        except defer.CancelledError:
            raise
        except Exception as error:
            self._about(interchange, flow).error(
                "interchange_failed", error=str(error), traceback="".join(format_exception(error))
            )
            self._verdicts.line.again(interchange.id, self._retry_seconds)


def _shut(interchange: Interchange, unpacked: Unpacked) -> Judgement:
    """The judgement on an archive that is refused as a whole."""
    if unpacked.refused is None:
        raise JournalError("An archive was opened and holds no document, which no finding says.")
    return unreadable(
        interchange.envelope.name, interchange.sha256, interchange.size, (unpacked.refused,)
    )
