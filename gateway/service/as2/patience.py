"""Deliveries that take long go on by themselves, so that the others of their batch need not wait.

The outbox sends a batch and then looks what became of it: one partner whose server takes messages
and never answers would hold back all others for minutes, again and again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any, Final

from twisted.internet import defer
from twisted.python.failure import Failure

from gateway.config.settings import Outbox as OutboxSettings
from gateway.errors import DeliveryAwaited
from gateway.service import settle
from gateway.service.journal import Journal, records
from gateway.service.outbox import postpone

SECONDS: Final = 3.0
"""How long a batch waits for one delivery."""

MOST_LATE: Final = 4
"""Deliveries to one partner that go on by themselves; its others wait until one of them ended."""

AGAIN_SECONDS: Final = 30.0


class Patience:
    """Around a way to deliver. What ended late is written here and not by the outbox."""

    def __init__(
        self,
        reactor: Any,
        deliver: Callable[[records.OutboxRow], Awaitable[None]],
        *,
        journal: Journal,
        settings: OutboxSettings,
        outbox_written: Callable[[], None],
        now: Callable[[], dt.datetime],
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._deliver = deliver
        self._journal = journal
        self._settings = settings
        self._outbox_written = outbox_written
        self._now = now
        self._log = log
        self._going: dict[int, defer.Deferred[None]] = {}
        self._late: dict[int, str] = {}
        """The partners of those that nobody waits for, by row."""

    async def deliver(self, row: records.OutboxRow) -> None:
        """As the way itself; `DeliveryAwaited` when it takes long, and goes on."""
        partner = row.partner
        if row.id in self._going or list(self._late.values()).count(partner) >= MOST_LATE:
            raise DeliveryAwaited(
                f"The server of {partner} takes long to answer.", seconds=AGAIN_SECONDS
            )
        going = defer.Deferred.fromCoroutine(self._attempt(row))
        waiting: defer.Deferred[None] = defer.Deferred(lambda _: going.cancel())
        self._going[row.id] = going

        def late() -> None:
            self._late[row.id] = partner
            waiting.errback(
                DeliveryAwaited(
                    f"The server of {partner} has not answered yet.", seconds=AGAIN_SECONDS
                )
            )

        timer = self._reactor.callLater(SECONDS, late)

        def ended(result: Failure | None) -> None:
            del self._going[row.id]
            if timer.active():
                timer.cancel()
                waiting.callback(result)  # a Failure fails it
                return
            del self._late[row.id]
            gone = isinstance(result, Failure) and isinstance(result.value, defer.CancelledError)
            if not gone:
                defer.Deferred.fromCoroutine(self._write(row, result)).addErrback(self._unwritten)

        going.addBoth(ended)
        await waiting

    async def stop(self) -> None:
        """Give up what goes on by itself: it is sent again after the next start."""
        for id_ in list(self._late):
            self._going[id_].cancel()

    async def _attempt(self, row: records.OutboxRow) -> None:
        await self._deliver(row)

    async def _write(self, row: records.OutboxRow, result: Failure | None) -> None:
        """What became of a delivery that nobody waits for any more."""
        now = self._now()
        if result is None:
            await self._journal.write(
                "outbox_late", lambda conn: settle.delivered(conn, [row], now)
            )
            self._outbox_written()
            return
        error = result.value
        if not isinstance(error, DeliveryAwaited):
            self._log.warning(
                "as2_undelivered",
                partner=row.partner,
                interchange=row.interchange_id,
                flow=row.headers.get("flow"),
                error=str(error),
            )
        await self._journal.write(
            "outbox_late", lambda conn: postpone(conn, row, error, self._settings, now)
        )

    def _unwritten(self, failure: Failure) -> None:
        # The row stands as it did, and comes again: at worst the message is sent twice.
        self._log.error("as2_outcome_not_written", error=str(failure.value))
