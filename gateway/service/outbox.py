"""Sends what the journal has committed: to the broker, and back to partners by their channel.

The transactional outbox: a publication is a row, written with the state it speaks of; sending it
comes after, as often as it takes, and the confirm marks the row. One loop per destination, so
that a partner that is away does not hold back the broker, nor the reverse; but an acknowledgement
waits for the results it speaks of, unless its flow says otherwise. Delivery is at-least-once with
a stable `message_id`.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Collection
from typing import Any, Protocol

from sqlalchemy import Connection
from twisted.internet import defer

from gateway.config.settings import Outbox as OutboxSettings
from gateway.errors import GatewayError
from gateway.model.publication import Publication
from gateway.service import settle
from gateway.service.destination import Destination, Send
from gateway.service.journal import Journal, delivery_records, records
from gateway.service.line_metrics import LineMetrics

__all__ = ["Outbox", "Publisher", "Send"]


class Publisher(Protocol):
    """Where publications go: RabbitMQ, or files."""

    available: bool

    async def publish(self, publication: Publication) -> None:
        """Return only when the publication is safe on the other side."""
        ...


class Outbox:
    """All destinations together.

    `committed`: flows whose acknowledgements leave without waiting until their results are
    confirmed. `rng` spreads attempts.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal,
        broker: Publisher,
        channels: dict[str, Send],
        settings: OutboxSettings,
        log: Any,
        committed: Collection[str] = (),
        rng: random.Random | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        metrics: LineMetrics | None = None,
    ) -> None:
        metrics = metrics or LineMetrics()
        self._journal = journal
        self._log = log
        self._now = now
        self._starting: defer.Deferred[None] | None = None
        spread = rng or random.Random()  # noqa: S311  # spreads attempts, hides nothing

        async def to_broker(row: records.OutboxRow) -> None:
            await broker.publish(row.publication())

        def why_not() -> str:
            error = getattr(broker, "last_error", None)
            return str(error) if error else "There is no connection to the broker."

        def destination(name: str, send: Send, ready: Callable[[], bool]) -> Destination:
            return Destination(
                name,
                reactor,
                journal=journal,
                send=send,
                ready=ready,
                why_not=why_not,
                settings=settings,
                committed=committed,
                written=self.wake,
                rng=spread,
                log=log,
                now=now,
                metrics=metrics,
            )

        self.destinations = [destination(settle.BROKER, to_broker, lambda: broker.available)]
        self.destinations += [
            destination(name, send, lambda: True) for name, send in channels.items()
        ]
        self._by_name = {each.name: each for each in self.destinations}

    def start(self) -> None:
        """Begin sending to every destination, after what a crash left is counted."""
        self._starting = defer.Deferred.fromCoroutine(self._start())
        self._starting.addErrback(
            lambda failure: self._log.critical("outbox_not_started", error=str(failure.value))
        )

    async def _start(self) -> None:
        def take_up(conn: Connection) -> tuple[int, list[delivery_records.Circuit]]:
            return delivery_records.count_interrupted(conn), delivery_records.open_circuits(conn)

        interrupted, circuits = await self._journal.write("outbox_start", take_up)
        if interrupted:
            self._log.info("outbox_attempts_interrupted", count=interrupted)
        for each in self.destinations:
            mine = [circuit for circuit in circuits if circuit.destination == each.name]
            each.breaker.restore(mine, self._now())
            each.start()

    def wake(self) -> None:
        """Rows were written, or a destination came back."""
        for each in self.destinations:
            each.wake()

    def wake_broker(self) -> None:
        """Rows were written that all go to the broker."""
        self._by_name[settle.BROKER].wake()

    def try_now(self) -> None:
        """Destinations that did not answer may do so again: find out at once."""
        for each in self.destinations:
            each.try_now()

    async def record(self, row: records.OutboxRow, error: GatewayError | None) -> None:
        """What became of a message that was still under way when its batch ended."""
        await self._by_name[row.destination].record(row, error)

    async def record_refusal(self, row: records.OutboxRow, error: GatewayError) -> None:
        """A destination that had taken a message said no to it later on."""
        await self._by_name[row.destination].record_refusal(row, error)

    async def stop(self, grace: float) -> None:
        """Stop after the batches under way, for at most `grace` seconds."""
        if self._starting is not None:
            await self._starting
        await defer.gatherResults(
            [defer.Deferred.fromCoroutine(each.stop(grace)) for each in self.destinations]
        )
