"""Sends what the journal has committed: to the broker, and back to partners by their channel.

The transactional outbox: a publication is a row, written with the state it speaks of; sending it
comes after, as often as it takes, and the confirm marks the row. One loop per destination, so
that a broker that is away does not hold back acknowledgements, nor the reverse. Delivery is
at-least-once with a stable `message_id`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection
from twisted.internet import defer

from gateway.config.settings import Outbox as OutboxSettings
from gateway.errors import BrokerUnavailable, DeliveryAwaited, DeliveryFailed, GatewayError
from gateway.model.publication import Publication
from gateway.service import settle
from gateway.service.journal import Journal, records

LINGER_SECONDS = 0.1
"""Pause after a batch that was not full, so that the next one holds more: reading, sending and
marking cost by the batch. Nobody notices a tenth of a second between a verdict and its message."""

ROW_FAILURES_LOGGED = 5
"""Of one batch; the others are in the journal with their error."""


class Publisher(Protocol):
    """Where publications go: RabbitMQ, or files."""

    available: bool

    async def publish(self, publication: Publication) -> None:
        """Return only when the publication is safe on the other side."""
        ...


Send = Callable[[records.OutboxRow], Awaitable[None]]
"""Delivers one row; raises `GatewayError` when it could not."""


def postpone(
    conn: Connection,
    row: records.OutboxRow,
    error: BaseException | None,
    settings: OutboxSettings,
    now: dt.datetime,
) -> None:
    """Keep why an attempt failed, and when the next is due: later each time, or as `error` says."""
    pause = min(settings.retry_min_seconds * 2 ** min(row.attempts, 30), settings.retry_max_seconds)
    if isinstance(error, DeliveryAwaited):
        pause = error.seconds
    next_attempt_at = now + dt.timedelta(seconds=pause)
    records.mark_failed(conn, row.id, error=str(error), next_attempt_at=next_attempt_at)


class Destination:
    """One loop: takes due rows of its destination, sends them together, marks what arrived."""

    def __init__(
        self,
        name: str,
        reactor: Any,
        *,
        journal: Journal,
        send: Send,
        ready: Callable[[], bool],
        settings: OutboxSettings,
        written: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime],
    ) -> None:
        self.name = name
        self._reactor = reactor
        self._journal = journal
        self._send = send
        self._ready = ready
        self._settings = settings
        self._written = written
        self._log = log
        self._now = now
        self._stopping = False
        self._work_to_do = True
        self._after = 0
        self._sleeping: defer.Deferred[None] | None = None
        self._loop: defer.Deferred[None] | None = None
        self.last_error: str | None = None

    def start(self) -> None:
        """Begin sending."""
        self._loop = defer.Deferred.fromCoroutine(self._run())

    def wake(self) -> None:
        """There may be something to send."""
        self._work_to_do = True
        sleeping, self._sleeping = self._sleeping, None
        if sleeping is not None:
            sleeping.callback(None)

    async def stop(self, grace: float) -> None:
        """Finish the batch under way, for at most `grace` seconds; the rest waits."""
        self._stopping = True
        self.wake()
        loop, self._loop = self._loop, None
        if loop is None:
            return
        loop.addTimeout(max(0.01, grace), self._reactor)
        try:
            await loop
        except (defer.TimeoutError, defer.CancelledError):
            self._log.warning("outbox_stopped_in_flight", destination=self.name)

    async def _run(self) -> None:
        while not self._stopping:
            self._work_to_do = False
            try:
                busy = self._ready() and await self._send_batch()
            except defer.CancelledError:
                raise
            except Exception as error:
                # The journal refused (disk full, say): the rows stand, try again later.
                self._log.error("outbox_failed", destination=self.name, error=str(error))
                busy = False
            if busy and not self._stopping:
                await self._pause(LINGER_SECONDS)
            elif not self._work_to_do and not self._stopping:
                await self._sleep(self._settings.poll_seconds)

    async def _pause(self, seconds: float) -> None:
        """Wait `seconds`, unless stopping."""
        until = self._reactor.seconds() + seconds
        while not self._stopping and (left := until - self._reactor.seconds()) > 0:
            await self._sleep(left)

    async def _sleep(self, seconds: float) -> None:
        """Wait `seconds`, or until there is something to do."""
        sleeping: defer.Deferred[None] = defer.Deferred()
        self._sleeping = sleeping
        timer = self._reactor.callLater(seconds, self.wake)
        try:
            await sleeping
        finally:
            if timer.active():
                timer.cancel()

    async def _send_batch(self) -> bool:
        """Send what is due; True if there may be more that can be sent now."""
        rows: list[records.OutboxRow] = await self._journal.read(
            "due_outbox",
            lambda conn: records.due_outbox(
                conn,
                self._now(),
                self._settings.batch,
                after_id=self._after,
                destination=self.name,
            ),
        )
        full = len(rows) == self._settings.batch
        if not full:
            self._after = 0
        if not rows:
            return False
        outcomes = await defer.gatherResults(
            [defer.Deferred.fromCoroutine(self._attempt(row)) for row in rows],
            consumeErrors=True,
        )
        sent = [row for row, error in zip(rows, outcomes, strict=True) if error is None]
        failed = [
            (row, error)
            for row, error in zip(rows, outcomes, strict=True)
            if error is not None and not isinstance(error, BrokerUnavailable)
        ]
        now = self._now()
        written = await self._journal.write(
            "outbox_outcome", lambda conn: self._record(conn, sent, failed, now)
        )
        if written:
            self._written()
        self._complain(rows, outcomes)
        if sent and full:
            self._work_to_do = True
        elif full:
            # One folder that cannot be written, say: next time, look past these.
            self._after = rows[-1].id
        return bool(sent) and not full

    async def _attempt(self, row: records.OutboxRow) -> GatewayError | None:
        try:
            await self._send(row)
        except defer.CancelledError:
            raise
        except GatewayError as error:
            return error
        except Exception as error:
            # A fault of ours in one row must not keep its neighbours, which may be with the
            # broker already, from being marked: they would be sent again for ever.
            return DeliveryFailed(
                f"Outbox row {row.id} cannot be sent: {error!r}.",
                remedy="This is a fault in the gateway; please report it.",
            )
        return None

    def _record(
        self,
        conn: Any,
        sent: Sequence[records.OutboxRow],
        failed: Sequence[tuple[records.OutboxRow, GatewayError]],
        now: dt.datetime,
    ) -> int:
        for row, error in failed:
            postpone(conn, row, error, self._settings, now)
        return settle.delivered(conn, sent, now) if sent else 0

    def _complain(
        self, rows: Sequence[records.OutboxRow], outcomes: Sequence[GatewayError | None]
    ) -> None:
        failed = [
            (row, str(error))
            for row, error in zip(rows, outcomes, strict=True)
            if error is not None and not isinstance(error, DeliveryAwaited)
        ]
        if not failed:
            self.last_error = None
            return
        self.last_error = failed[0][1]
        self._log.warning(
            "outbox_undelivered",
            destination=self.name,
            count=len(failed),
            errors=sorted({error for _, error in failed})[:ROW_FAILURES_LOGGED],
            about=[
                {
                    "interchange": row.interchange_id,
                    "partner": row.partner,
                    "flow": row.headers.get("flow"),
                }
                for row, _ in failed[:ROW_FAILURES_LOGGED]
            ],
        )


class Outbox:
    """All destinations together."""

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal,
        broker: Publisher,
        channels: dict[str, Send],
        settings: OutboxSettings,
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        async def to_broker(row: records.OutboxRow) -> None:
            await broker.publish(row.publication())

        def destination(name: str, send: Send, ready: Callable[[], bool]) -> Destination:
            return Destination(
                name,
                reactor,
                journal=journal,
                send=send,
                ready=ready,
                settings=settings,
                written=self.wake,
                log=log,
                now=now,
            )

        self.destinations = [destination(settle.BROKER, to_broker, lambda: broker.available)]
        self.destinations += [
            destination(name, send, lambda: True) for name, send in channels.items()
        ]

    def start(self) -> None:
        """Begin sending to every destination."""
        for each in self.destinations:
            each.start()

    def wake(self) -> None:
        """Rows were written, or a destination came back."""
        for each in self.destinations:
            each.wake()

    async def stop(self, grace: float) -> None:
        """Stop after the batches under way, for at most `grace` seconds."""
        await defer.gatherResults(
            [defer.Deferred.fromCoroutine(each.stop(grace)) for each in self.destinations]
        )
