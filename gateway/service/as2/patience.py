"""Deliveries that take long go on by themselves, so that the others of their batch need not wait.

The outbox sends a batch and then looks what became of it: one partner whose server takes messages
and never answers would hold back all others for minutes, again and again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from twisted.internet import defer
from twisted.python.failure import Failure

from gateway.errors import DeliveryFailed, DeliveryPutOff, DeliveryUnderWay, GatewayError
from gateway.service.journal import records

Record = Callable[[records.OutboxRow, GatewayError | None], Awaitable[None]]
"""Hears what became of a message; None: it arrived."""

SECONDS: Final = 3.0
"""How long a batch waits for one delivery."""

MOST_LATE: Final = 4
"""Deliveries to one partner that go on by themselves; its others wait until one of them ended."""

AGAIN_SECONDS: Final = 30.0


class Patience:
    """Around a way to deliver. What ended late is handed to `record`: the outbox waits no more."""

    def __init__(
        self,
        reactor: Any,
        deliver: Callable[[records.OutboxRow], Awaitable[None]],
        *,
        record: Record,
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._deliver = deliver
        self._record = record
        self._log = log
        self._going: dict[int, defer.Deferred[None]] = {}
        self._late: dict[int, str] = {}
        """The partners of those that nobody waits for, by row."""

    async def deliver(self, row: records.OutboxRow) -> None:
        """As the way itself; `DeliveryUnderWay` when it takes long, and goes on."""
        partner = row.partner
        what = f"The server of {partner} takes long to answer."
        if row.id in self._going:
            raise DeliveryUnderWay(what, seconds=AGAIN_SECONDS)
        if list(self._late.values()).count(partner) >= MOST_LATE:
            raise DeliveryPutOff(what, seconds=AGAIN_SECONDS, remedy="It is tried again by itself.")
        going = defer.Deferred.fromCoroutine(self._attempt(row))
        waiting: defer.Deferred[None] = defer.Deferred(lambda _: going.cancel())
        self._going[row.id] = going

        def late() -> None:
            self._late[row.id] = partner
            waiting.errback(
                DeliveryUnderWay(
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
        error = None if result is None else result.value
        if error is not None and not isinstance(error, GatewayError):
            error = DeliveryFailed(
                f"Outbox row {row.id} cannot be sent: {error!r}.",
                remedy="This is a fault in the gateway; please report it.",
            )
        await self._record(row, error)

    def _unwritten(self, failure: Failure) -> None:
        # The row stands as it did, and comes again: at worst the message is sent twice.
        self._log.error("as2_outcome_not_written", error=str(failure.value))
