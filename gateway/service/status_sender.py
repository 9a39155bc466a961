"""Gives the statuses that documents of a reported interchange are owed: lifecycle messages (CDAR).

    closing ─▶ owed, with the report ─▶ composed, page by page ─▶ checked by a judge ─▶ outbox

A debt is written in the transaction of the report and is gone when every status is in the outbox;
a crash in between takes it up where it was, for each page is a transaction that writes messages and
what they tell. Every message is held against the official schema and rules first. One that does
not keep to them does not leave: that is our fault and no partner's, so it is tried again, ever more
seldom, and shown until somebody mends it. The report does not wait for any of this.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from traceback import format_exception
from typing import Any, Final

from sqlalchemy import Connection
from twisted.internet import defer

from gateway.core.acknowledgement.flux_state import technical_errors
from gateway.core.acknowledgement.report import document_of
from gateway.core.cdar.checking import is_valid
from gateway.errors import GatewayError
from gateway.model.interchange import Interchange
from gateway.model.legal import LegalIdentity
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.partner import Partner
from gateway.model.verdict import Severity
from gateway.service.journal import Journal, given_records, records
from gateway.service.journal.given_records import Owed
from gateway.service.judges import Checking
from gateway.service.status_composing import Composed, Composer
from gateway.service.status_giving import give, was_refused
from gateway.spool import Spool

PAGE: Final = 50
"""Documents whose messages are made, checked and written at once."""
WIDTH: Final = 4
"""Pages of one interchange on their way at once, so that every judge has something to check."""
AT_ONCE: Final = 20
"""Interchanges that are looked up at once."""
POLL_SECONDS: Final = 5.0
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 600.0


class StatusSender:
    """`wake` it when a report was written; it looks by itself now and then as well.

    `failed` counts the attempts that did not get every message out.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal,
        spool: Spool,
        in_thread: Callable[..., Awaitable[Any]],
        checking: Checking,
        partners: Mapping[str, Partner],
        we: LegalIdentity,
        inline_bytes: int,
        outbox_written: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._reactor = reactor
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._checking = checking
        self._partners = partners
        self._we = we
        self._inline_bytes = inline_bytes
        self._outbox_written = outbox_written
        self._log = log
        self._now = now
        self.failed = 0
        self._going: defer.Deferred[None] | None = None
        self._pause: defer.Deferred[None] | None = None
        self._woken = False

    def start(self) -> None:
        """Begin with what is owed since before."""
        self._going = defer.Deferred.fromCoroutine(self._run())

    async def stop(self) -> None:
        """Leave the rest for the next start."""
        going, self._going = self._going, None
        if going is not None:
            going.cancel()
            with contextlib.suppress(defer.CancelledError):
                await going

    def wake(self) -> None:
        """Something may be owed: look soon."""
        self._woken = True
        if self._pause is not None and not self._pause.called:
            self._pause.callback(None)

    async def _run(self) -> None:
        while True:
            self._woken = False
            try:
                busy = await self.turn()
            except defer.CancelledError:
                raise
            except Exception as error:  # the debts stand; looking at them must not end
                self._log.error("statuses_not_looked_up", error=str(error))
                busy = False
            if busy or self._woken:
                continue
            self._pause = defer.Deferred()
            timer = self._reactor.callLater(POLL_SECONDS, self.wake)
            try:
                await self._pause
            finally:
                if timer.active():
                    timer.cancel()

    async def turn(self) -> bool:
        """Attempt what is owed now; whether there was anything."""
        due = await self._journal.read(
            "statuses_owed",
            lambda conn: given_records.owed_now(conn, self._now(), AT_ONCE),
        )
        for owed in due:
            await self._pay(owed)
        return bool(due)

    # ---- one interchange

    async def _pay(self, owed: Owed) -> None:
        try:
            faults = await self._messages_of(owed)
        except defer.CancelledError:
            raise
        except Exception as error:
            faults = [str(error)]
            if not isinstance(error, GatewayError):
                self._log.error(
                    "statuses_not_composed",
                    interchange=owed.interchange_id,
                    traceback="".join(format_exception(error)),
                )
        if not faults:
            await self._journal.write("paid", lambda conn: given_records.paid(conn, owed))
            return
        self.failed += 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(owed.attempts, 20))
        at = self._now() + dt.timedelta(seconds=pause)
        self._log.error(
            "statuses_not_sent",
            interchange=owed.interchange_id,
            faults=faults[:10],
            count=len(faults),
            attempt=owed.attempts + 1,
            again_in_seconds=pause,
            remedy="The report has left all the same. A check that cannot be made: edi-gateway"
            " check; a message that is not valid: look at [legal], else report the fault.",
        )
        await self._journal.write(
            "owed_later", lambda conn: given_records.owed_later(conn, owed, faults[0], at)
        )

    async def _messages_of(self, owed: Owed) -> list[str]:
        """Bring every message that is owed into the outbox; why some did not get there."""
        row = await self._journal.read("row", lambda c: records.interchange(c, owed.interchange_id))
        partner = self._partners.get(row.partner) if row is not None else None
        if row is None or partner is None or not partner.acknowledgements.statuses:
            return []
        composer = Composer(
            interchange=row.interchange(), partner=partner, we=self._we, at=owed.since
        )
        faults: list[str] = []
        if row.state is InterchangeState.REFUSED or row.documents_total == 1:
            faults += await self._refusal(composer, row)
        after = 0
        while True:
            firsts = range(after, after + PAGE * WIDTH, PAGE)
            pages = [
                defer.Deferred.fromCoroutine(self._page(composer, row, each)) for each in firsts
            ]
            outcomes: Any = await defer.gatherResults(pages, consumeErrors=True)
            faults += [fault for page in outcomes for fault in page]
            after += PAGE * WIDTH
            if after >= row.documents_total:
                return faults

    async def _page(self, composer: Composer, row: records.InterchangeRow, after: int) -> list[str]:
        """The messages about the documents `after` + 1 to `after` + PAGE."""
        if after >= row.documents_total:
            return []

        def read(conn: Connection) -> tuple[list[records.DocumentRow], Any]:
            rows = records.documents_page(conn, row.id, after=after, limit=PAGE)
            return rows, given_records.given_between(conn, row.id, after + 1, after + PAGE)

        rows, before = await self._journal.read("statuses_page", read)
        composed = await self._in_thread(composer.messages, rows, before)
        return await self._send(composer.interchange, row.flow, composed)

    async def _refusal(self, composer: Composer, row: records.InterchangeRow) -> list[str]:
        """The message about a file that could not be used as a whole."""
        rows, before = await self._journal.read(
            "statuses_page",
            lambda conn: (
                records.documents_page(conn, row.id, after=0, limit=PAGE),
                given_records.given_between(conn, row.id, 0, 0),
            ),
        )
        if not await self._journal.read("refused", partial(was_refused, id_=row.id)):
            return []
        errors = [
            error
            for each in rows
            if each.judgement is not None and each.state is not DocumentState.DISCARDED
            for error in technical_errors(
                document_of(records.load_judgement(each), each.ordinal, each.state), row.sha256
            )
        ]
        composed = composer.refusal(errors, before)
        return await self._send(composer.interchange, row.flow, composed)

    async def _send(
        self, interchange: Interchange, flow: str | None, composed: Sequence[Composed]
    ) -> list[str]:
        """Check messages and write those that are valid; what is wrong with the others."""
        if not composed:
            return []
        now = self._now()
        findings = await self._checking.check(
            [each.body for each in composed], now.date(), interchange.envelope.partner
        )
        valid = []
        faults = []
        for each, found in zip(composed, findings, strict=True):
            if is_valid(found):
                stored = None
                if len(each.body) > self._inline_bytes:
                    stored = await self._in_thread(self._spool.store, [each.body])
                valid.append((each, stored))
            else:
                first = next(one for one in found if one.severity is Severity.ERROR)
                faults.append(
                    f"{each.filename} is not valid and was not sent: {first.rule}: {first.message}"
                )
        if valid:
            written = await self._journal.write(
                "give_statuses",
                partial(give, interchange=interchange, flow=flow, valid=valid, now=now),
            )
            if written:
                self._outbox_written()
                self._log.info(
                    "statuses_given",
                    interchange=interchange.id,
                    partner=interchange.envelope.partner,
                    flow=flow,
                    messages=written,
                )
        return faults
