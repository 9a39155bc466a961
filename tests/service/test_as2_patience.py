"""Deliveries that take long: who waits for them, and what becomes of them."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any, cast

import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import defer, task

from gateway.config.settings import Outbox as OutboxSettings
from gateway.errors import DeliveryAwaited, DeliveryFailed
from gateway.service.as2.patience import MOST_LATE, SECONDS, Patience
from gateway.service.journal import records


class Desk:
    """A Patience whose deliveries end when the test says so."""

    def __init__(self) -> None:
        self.clock = task.Clock()
        self.begun: dict[int, defer.Deferred[None]] = {}
        self.written: list[str] = []
        self.woken = 0
        self.said = structlog.testing.CapturingLogger()
        self.patience = Patience(
            self.clock,
            self._deliver,
            journal=cast("Any", self),
            settings=OutboxSettings(),
            outbox_written=self._wake,
            now=lambda: dt.datetime.now(dt.UTC),
            log=structlog.wrap_logger(self.said, processors=[]),
        )

    async def _deliver(self, row: records.OutboxRow) -> None:
        self.begun[row.id] = defer.Deferred()
        await self.begun[row.id]

    def _wake(self) -> None:
        self.woken += 1

    async def write(self, name: str, _: Any) -> None:
        """The journal's."""
        self.written.append(name)

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
    """Nobody waits; the row is not sent a second time meanwhile; a failure is in the log."""
    desk = Desk()
    going = [desk.deliver(1), desk.deliver(2)]
    desk.clock.advance(SECONDS)
    for each in going:
        assert isinstance(await each, DeliveryAwaited)
    begun = dict(desk.begun)
    assert isinstance(await desk.deliver(1), DeliveryAwaited)
    assert desk.begun == begun
    begun[1].callback(None)
    assert (desk.written, desk.woken) == (["outbox_late"], 1)
    begun[2].errback(DeliveryFailed("no"))
    assert (desk.written, desk.woken) == (["outbox_late"] * 2, 1)
    assert [call.method_name for call in desk.said.calls] == ["warning"]


@ensureDeferred
async def test_a_partner_that_hangs_gets_only_so_many() -> None:
    """Its other messages are put aside without a connection; other partners are not."""
    desk = Desk()
    late = [desk.deliver(number) for number in range(MOST_LATE)]
    desk.clock.advance(SECONDS)
    for each in late:
        await each
    assert isinstance(await desk.deliver(100), DeliveryAwaited)
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
