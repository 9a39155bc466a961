"""Gives the statuses that documents of a reported interchange are owed: lifecycle messages (CDAR).

    closing ─▶ owed, with the report ─▶ composed, page by page ─▶ checked by a judge ─▶ outbox

A debt is written in the transaction of the report and is gone when every status is in the outbox;
a crash in between takes it up again, for each page is a transaction that writes messages and what
they tell. Every message is held against the official schema and rules first. One that does not
keep to them does not leave: that is our fault and no partner's, so it is tried again, ever more
seldom, and shown until somebody mends it; so is a debt to a partner that the configuration does
not know any more. The report does not wait for any of this. Partners take turns (`status_turns`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from traceback import format_exception
from typing import Any, Final

from sqlalchemy import Connection
from twisted.internet import defer

from gateway.errors import GatewayError
from gateway.model.legal import LegalIdentity
from gateway.model.partner import Partner
from gateway.service import status_debts
from gateway.service.journal import Journal, given_records
from gateway.service.journal.given_records import Owed
from gateway.service.judges import Checking
from gateway.service.status_pages import StatusPages
from gateway.service.status_turns import Debt, Turns
from gateway.spool import Spool

WIDTH: Final = 4
"""Pages on their way at once, so that every judge has something to check."""
POLL_SECONDS: Final = 5.0
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 600.0


class StatusSender:
    """`wake` it when a report was written; it looks by itself now and then as well.

    `failed` counts the attempts that did not get every message out.

    A partner whose statuses come due waits for the `WIDTH` pages that are on their way, and for one
    page of each other partner, however much is owed to them.
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
        self._pages = StatusPages(
            journal=journal,
            spool=spool,
            in_thread=in_thread,
            checking=checking,
            partners=partners,
            we=we,
            inline_bytes=inline_bytes,
            outbox_written=outbox_written,
            log=log,
            now=now,
        )
        self._outbox_written = outbox_written
        self._log = log
        self._now = now
        self.failed = 0
        self._going: defer.Deferred[None] | None = None
        self._news: defer.Deferred[None] | None = None
        self._woken = False
        self._turns = Turns()
        self._running: set[defer.Deferred[None]] = set()
        self._looked_at = 0.0

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
        self._tell_news()

    def _tell_news(self) -> None:
        if self._news is not None and not self._news.called:
            self._news.callback(None)

    async def _something_new(self) -> None:
        """Wait until a page is over, somebody wakes us, or it is time to look."""
        self._news = defer.Deferred()
        timer = self._reactor.callLater(POLL_SECONDS, self._tell_news)
        try:
            await self._news
        finally:
            if timer.active():
                timer.cancel()

    async def _run(self) -> None:
        while True:
            try:
                busy = await self.turn()
            except defer.CancelledError:
                raise
            except Exception as error:  # the debts stand; looking at them must not end
                self._log.error("statuses_not_looked_up", error=str(error))
                await self._something_new()
                continue
            if not busy and not self._woken:
                await self._something_new()

    async def turn(self) -> bool:
        """Attempt what is owed now, until nothing of it is left; whether there was anything."""
        try:
            return await self._until_done()
        finally:
            # Whatever is under way is owed still: the journal knows, and gives it again.
            for page in list(self._running):
                page.cancel()
            self._running.clear()
            self._turns = Turns()

    async def _until_done(self) -> bool:
        await self._look()
        busy = False
        while True:
            while self._must_look():
                await self._look()  # first: who has just come has a turn among the others
            while len(self._running) < WIDTH and (debt := self._turns.next()) is not None:
                busy = True
                self._begin(debt)
            for debt in self._turns:
                if debt.over:
                    await self._end(debt)
                    self._turns.drop(debt)
            if not self._turns:
                return busy
            if not (self._must_look() or self._can_go_on()):
                await self._something_new()

    def _can_go_on(self) -> bool:
        """Whether a page can be begun, or an attempt is over whose end is not written."""
        room = len(self._running) < WIDTH
        return any(debt.over or (room and debt.ready) for debt in self._turns)

    def _must_look(self) -> bool:
        """Whether the journal may hold something that should have a turn now."""
        is_time = self._running and self._reactor.seconds() - self._looked_at >= POLL_SECONDS
        return bool(self._woken or self._turns.thin or is_time)

    async def _look(self) -> None:
        """Bring what is due from the journal, as much of each partner as there is room for."""
        self._woken = False
        self._looked_at = self._reactor.seconds()
        turns = self._turns

        def read(conn: Connection) -> dict[str, list[Owed]]:
            now = self._now()
            return {
                partner: given_records.owed_now(
                    conn, partner, now, turns.room(partner), but=turns.known(partner)
                )
                for partner in given_records.partners_owed(conn)
                if turns.room(partner)
            }

        turns.fill(await self._journal.read("statuses_owed", read))

    # ---- one interchange

    def _begin(self, debt: Debt) -> None:
        page = defer.Deferred.fromCoroutine(self._page(debt, debt.begin()))
        self._running.add(page)
        page.addErrback(self._broken_off)
        page.addBoth(self._page_over, page)

    def _broken_off(self, failure: Any) -> None:
        failure.trap(defer.CancelledError)

    def _page_over(self, _: object, page: defer.Deferred[None]) -> None:
        self._running.discard(page)
        self._tell_news()

    async def _page(self, debt: Debt, after: int) -> None:
        try:
            told = await self._pages.tell(debt.owed, after)
        except defer.CancelledError:
            debt.broke_off("It was broken off.")
            raise
        except Exception as error:
            debt.broke_off(str(error))
            if not isinstance(error, GatewayError):
                self._log.error(
                    "statuses_not_composed",
                    interchange=debt.owed.interchange_id,
                    traceback="".join(format_exception(error)),
                )
            return
        debt.failed(told.faults)
        debt.given_up = debt.given_up or told.given_up
        debt.ended(told.total)

    async def _end(self, debt: Debt) -> None:
        """Write how the attempt ended."""
        owed, now = debt.owed, self._now()
        if not debt.count:
            if debt.given_up:
                self._log.info(
                    "statuses_given_up",
                    interchange=owed.interchange_id,
                    partner=owed.partner,
                    cause="its file says that nobody is told of the statuses of invoices",
                )
            told = await self._journal.write(
                "paid",
                lambda conn: status_debts.settled(conn, owed, given_up=debt.given_up, now=now),
            )
        else:
            self.failed += 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(owed.attempts, 20))
            again = now + dt.timedelta(seconds=pause)
            self._log.error(
                "statuses_not_sent",
                interchange=owed.interchange_id,
                partner=owed.partner,
                faults=debt.faults,
                count=debt.count,
                attempt=owed.attempts + 1,
                again_in_seconds=pause,
                remedy="The report has left all the same. A check that cannot be made: edi-gateway"
                " check; a message that is not valid: look at [legal], else report the fault.",
            )
            told = await self._journal.write(
                "owed_later",
                lambda conn: status_debts.not_sent(
                    conn, owed, debt.faults[0], again=again, now=now
                ),
            )
        if told:
            self._outbox_written()
