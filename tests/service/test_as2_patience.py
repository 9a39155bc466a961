"""Deliveries that take long: who waits for them, and what becomes of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import defer, task

from gateway.errors import (
    DeliveryFailed,
    DeliveryPutOff,
    DeliveryRefused,
    DeliveryUnderWay,
    GatewayError,
)
from gateway.service.as2.patience import MOST_LATE, SECONDS, Patience
from gateway.service.journal import records


class Desk:
    """A Patience whose deliveries end when the test says so."""

    def __init__(self) -> None:
        self.clock = task.Clock()
        self.begun: dict[int, defer.Deferred[None]] = {}
        self.written: list[tuple[int, str]] = []
        self.said = structlog.testing.CapturingLogger()
        self.patience = Patience(
            self.clock,
            self._deliver,
            record=self._record,
            log=structlog.wrap_logger(self.said, processors=[]),
        )

    async def _deliver(self, row: records.OutboxRow) -> None:
        self.begun[row.id] = defer.Deferred()
        await self.begun[row.id]

    async def _record(self, row: records.OutboxRow, error: GatewayError | None) -> None:
        """The outbox's."""
        self.written.append((row.id, type(error).__name__))

    def deliver(self, number: int, partner: str = "acme") -> defer.Deferred[BaseException | None]:
        """Begin one; fires with what it raised."""
        row = SimpleNamespace(
            id=number, partner=partner, attempts=0, interchange_id="i", headers={}
        )
        going = defer.Deferred.fromCoroutine(self.patience.deliver(cast("records.OutboxRow", row)))
        going.addErrback(lambda failure: failure.value)
        return cast("defer.Deferred[BaseException | None]", going)


@ensureDeferred
async def test_what_ends_in_time_is_the_outboxs_affair() -> None:
    """Success and failure pass through, and nothing is written here."""
    desk = Desk()
    good, bad = desk.deliver(1), desk.deliver(2)
    desk.begun[1].callback(None)
    desk.begun[2].errback(DeliveryFailed("no"))
    assert await good is None
    assert isinstance(await bad, DeliveryFailed)
    assert desk.written == []
    assert not desk.clock.getDelayedCalls()


@ensureDeferred
async def test_what_ends_late_is_written_all_the_same() -> None:
    """Nobody waits; the row is not sent again meanwhile; a fault of ours is an error too."""
    desk = Desk()
    going = [desk.deliver(1), desk.deliver(2)]
    desk.clock.advance(SECONDS)
    for each in going:
        assert isinstance(await each, DeliveryUnderWay)
    begun = dict(desk.begun)
    assert isinstance(await desk.deliver(1), DeliveryUnderWay)
    assert desk.begun == begun
    begun[1].callback(None)
    begun[2].errback(DeliveryRefused("no"))
    assert desk.written == [(1, "NoneType"), (2, "DeliveryRefused")]
    later = desk.deliver(3)
    desk.clock.advance(SECONDS)
    await later
    desk.begun[3].errback(ValueError("broken"))
    assert desk.written[2:] == [(3, "DeliveryFailed")]


@ensureDeferred
async def test_a_partner_that_hangs_gets_only_so_many() -> None:
    """Its other messages are put aside without a connection; other partners are not."""
    desk = Desk()
    late = [desk.deliver(number) for number in range(MOST_LATE)]
    desk.clock.advance(SECONDS)
    for each in late:
        await each
    assert isinstance(await desk.deliver(100), DeliveryPutOff)
    assert 100 not in desk.begun
    other = desk.deliver(101, "zeta")
    desk.begun[101].callback(None)
    assert await other is None
    desk.begun[0].callback(None)
    again = desk.deliver(100)
    desk.begun[100].callback(None)
    assert await again is None


@ensureDeferred
async def test_stopping_gives_up_what_is_late_only() -> None:
    """The outbox gives what it waits for its grace; cancelling that cancels the delivery."""
    desk = Desk()
    late = desk.deliver(1)
    desk.clock.advance(SECONDS)
    await late
    waited = desk.deliver(2)
    await desk.patience.stop()
    assert desk.begun[1].called
    assert not desk.begun[2].called
    waited.cancel()
    assert isinstance(await waited, defer.CancelledError)
    assert desk.begun[2].called
    assert desk.written == []
    assert not desk.clock.getDelayedCalls()
