"""One destination of the outbox: a loop that sends what is due and writes what became of it.

Each attempt is noted before it begins and struck out with its outcome. While a partner's side does
not answer, one message at a time is tried for it (`breaker`), and the others wait.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection
from twisted.internet import defer

from gateway.config.settings import Outbox as OutboxSettings
from gateway.errors import DeliveryFailed, GatewayError
from gateway.service import settle
from gateway.service.breaker import Breaker, Pauses
from gateway.service.delivery_log import DeliveryLog
from gateway.service.journal import Journal, delivery_records, records
from gateway.service.line_metrics import LineMetrics
from gateway.service.outcomes import Outcome, is_dead, refuse_afterwards, write_outcomes
from gateway.service.sending_turns import Look, Turns

LINGER_SECONDS = 0.1
"""Pause after a batch that was not full, so that the next one holds more: reading, sending and
marking cost by the batch. As long between two looks that find nothing: every file that comes in
wakes every destination, and a look costs as much as receiving it. Nobody notices a tenth of a
second between a verdict and its message."""

AGAIN_SECONDS = 1.0
"""Pause after the journal refused something (disk full, say): the rows stand, and are sent again.
Whoever wakes the loop meanwhile does not make it fail, and say so, at every file that comes in."""

AWAY_SECONDS = 10.0
"""A destination that is not ready for so long does not answer; at the start it needs a moment."""

Send = Callable[[records.OutboxRow], Awaitable[None]]
"""Delivers one row; raises `GatewayError` when it could not."""


class Destination:
    """Takes due rows of its destination, sends them together, marks what arrived.

    `ready` tells whether sending makes sense now, `why_not` what keeps it. `written` hears when
    there may be more to send, anywhere. `committed`: flows whose acknowledgements do not wait until
    their results are confirmed.
    """

    def __init__(
        self,
        name: str,
        reactor: Any,
        *,
        journal: Journal,
        send: Send,
        ready: Callable[[], bool],
        why_not: Callable[[], str],
        settings: OutboxSettings,
        committed: Collection[str],
        written: Callable[[], None],
        rng: random.Random,
        log: Any,
        now: Callable[[], dt.datetime],
        metrics: LineMetrics,
    ) -> None:
        self._metrics = metrics
        self.name = name
        self._reactor = reactor
        self._journal = journal
        self._send = send
        self._ready = ready
        self._why_not = why_not
        self._settings = settings
        self._committed = committed
        self._written = written
        self._log = log
        self._words = DeliveryLog(name, log)
        self._now = now
        self._pauses = Pauses(settings, rng)
        self.breaker = Breaker(name, failures=settings.breaker_failures, pauses=self._pauses)
        self._stopping = False
        self._work_to_do = True
        self._turns = Turns()
        self._nothing_at = -LINGER_SECONDS
        self._unready_since: float | None = None
        self._sleeping: defer.Deferred[None] | None = None
        self._pausing = False
        self._loop: defer.Deferred[None] | None = None
        self.last_error: str | None = None

    def start(self) -> None:
        """Begin sending."""
        self._loop = defer.Deferred.fromCoroutine(self._run())

    def wake(self) -> None:
        """There may be something to send. A pause goes on to its end."""
        self._work_to_do = True
        if not self._pausing or self._stopping:
            self._wake_up()

    def _wake_up(self) -> None:
        sleeping, self._sleeping = self._sleeping, None
        if sleeping is not None:
            sleeping.callback(None)

    def try_now(self) -> None:
        """Those that did not answer may do so again."""
        self.breaker.probe_all(self._now())
        self.wake()

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

    async def record(self, row: records.OutboxRow, error: GatewayError | None) -> None:
        """Write what became of a row that was under way when its batch ended."""
        if await self._write([(row, error)]):
            self.wake()
        self.last_error = self._words.undelivered([(row, error)])

    async def record_refusal(self, row: records.OutboxRow, error: GatewayError) -> None:
        """The destination took the row, and said no to it later on."""
        now = self._now()
        write = partial(
            refuse_afterwards,
            row=row,
            error=error,
            settings=self._settings,
            pauses=self._pauses,
            now=now,
        )
        if await self._journal.write("outbox_refused", write):
            self._words.dead([(row, error)])

    async def _run(self) -> None:
        while not self._stopping:
            self._work_to_do = False
            try:
                busy = await self._look()
            except defer.CancelledError:
                raise
            except Exception as error:
                self._log.error("outbox_failed", destination=self.name, error=str(error))
                await self._pause(min(AGAIN_SECONDS, self._settings.poll_seconds))
                continue
            if busy and not self._stopping:
                await self._pause(LINGER_SECONDS)
            elif not self._work_to_do and not self._stopping:
                await self._sleep(self._settings.poll_seconds)
            await self._pause(self._nothing_at + LINGER_SECONDS - self._reactor.seconds())

    async def _pause(self, seconds: float) -> None:
        """Wait `seconds`, unless stopping."""
        if seconds > 0 and not self._stopping:
            self._pausing = True
            await self._sleep(seconds)
            self._pausing = False

    async def _sleep(self, seconds: float) -> None:
        """Wait `seconds`, or until there is something to do."""
        sleeping: defer.Deferred[None] = defer.Deferred()
        self._sleeping = sleeping
        timer = self._reactor.callLater(seconds, self._wake_up)
        try:
            await sleeping
        finally:
            if timer.active():
                timer.cancel()

    async def _look(self) -> bool:
        """Send what is due if that makes sense; True if there may be more that can be sent now."""
        if not self._ready():
            await self._note_unready()
            return False
        self._unready_since = None
        if self.name == settle.BROKER and "" in self.breaker.open:
            with self.breaker.unless_lost([""]):
                self.breaker.hear("", None, self._now())
                await self._keep_circuit_of_all()
            self._words.answers([""])
        return await self._send_batch()

    async def _note_unready(self) -> None:
        """What is away for more than a moment is told of like any circuit that opens."""
        seconds = self._reactor.seconds()
        if self._unready_since is None:
            self._unready_since = seconds
        if seconds - self._unready_since < AWAY_SECONDS or "" in self.breaker.open:
            return
        with self.breaker.unless_lost([""]):
            self.breaker.trip("", self._why_not(), self._now(), failures=1)
            await self._keep_circuit_of_all()
        self._words.away([self.breaker.open[""]])

    async def _send_batch(self) -> bool:
        """Send what is due; True if there may be more that can be sent now."""
        now, limit = self._now(), self._settings.batch
        probes = self.breaker.probes(now)
        rows, probing = await self._journal.read(
            "due_outbox", partial(self._due, now=now, limit=limit, probes=probes)
        )
        full = len(rows) == limit
        batch = [*rows, *probing]
        if self._turns.unfinished:
            self._work_to_do = True
        if not batch:
            self._nothing_at = self._reactor.seconds()
            return False
        await self._journal.write(
            "outbox_begun",
            lambda conn: delivery_records.begin_sending(conn, [row.id for row in batch], now),
        )
        errors = await defer.gatherResults(
            [defer.Deferred.fromCoroutine(self._attempt(row)) for row in batch],
            consumeErrors=True,
        )
        outcomes = list(zip(batch, errors, strict=True))
        more = await self._write(outcomes)
        self.last_error = self._words.undelivered(outcomes)
        sent = {row.partner for row, error in outcomes if error is None}
        self._turns.sent(sent)
        if more or (sent and full):
            self._work_to_do = True
        return bool(sent) and not full

    def _due(
        self, conn: Connection, now: dt.datetime, limit: int, probes: Sequence[str]
    ) -> tuple[list[records.OutboxRow], list[records.OutboxRow]]:
        """What to send now, and what to try the destinations with that do not answer."""

        def due(
            partner: str, most: int, after: int = 0, end: int | None = None
        ) -> list[records.OutboxRow]:
            return records.due_outbox(
                conn,
                now,
                most,
                destination=self.name,
                partner=partner,
                after_id=after,
                end_id=end,
                committed=self._committed,
            )

        def look(partner: str, after: int, most: int) -> Look:
            end = records.end_of_look(conn, destination=self.name, partner=partner, after_id=after)
            return Look(due(partner, most, after, end), end)

        waiting = records.partners_waiting(conn, self.name)
        rows = self._turns.batch(
            [partner for partner in waiting if partner not in self.breaker.open], limit, look
        )
        return rows, [row for partner in probes for row in due(partner, 1)]

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

    async def _write(self, outcomes: Sequence[Outcome]) -> bool:
        """Write outcomes and what they say of their circuits; True if one of these closed."""
        with self.breaker.unless_lost({row.partner for row, _ in outcomes}):
            return await self._hear_and_write(outcomes, self._now())

    async def _hear_and_write(self, outcomes: Sequence[Outcome], now: dt.datetime) -> bool:
        before = set(self.breaker.open)
        changed = self._hear(outcomes, now)
        opened = self.breaker.open.keys() - before
        closed = before - self.breaker.open.keys()

        def write(conn: Connection) -> int:
            number = write_outcomes(
                conn, outcomes, settings=self._settings, pauses=self._pauses, now=now
            )
            self._keep_circuits(conn, changed)
            for partner in closed:
                delivery_records.release(conn, now, partner=partner, destination=self.name)
            return number

        written = await self._journal.write("outbox_outcome", write)
        for row, error in outcomes:
            self._metrics.attempted(row, error, now)
        if written or any(row.kind == "document" and not error for row, error in outcomes):
            self._written()
        self._words.away([self.breaker.open[partner] for partner in sorted(opened)])
        self._words.answers(sorted(closed))
        self._words.dead([row_ for row_ in outcomes if self._is_dead(*row_)])
        return bool(closed)

    def _is_dead(self, row: records.OutboxRow, error: GatewayError | None) -> bool:
        return error is not None and is_dead(row, error, self._settings)

    # ---- circuits

    def _hear(self, outcomes: Sequence[Outcome], now: dt.datetime) -> list[str]:
        """The partners whose circuits opened, closed, or were probed in vain.

        The broker's connection knows by itself whether it stands.
        """
        if self.name == settle.BROKER:
            return []
        hear = self.breaker.hear
        return [row.partner for row, error in outcomes if hear(row.partner, error, now)]

    async def _keep_circuit_of_all(self) -> None:
        await self._journal.write("circuit", partial(self._keep_circuits, partners=[""]))

    def _keep_circuits(self, conn: Connection, partners: Collection[str]) -> None:
        for partner in dict.fromkeys(partners):
            circuit = self.breaker.open.get(partner)
            if circuit is None:
                delivery_records.forget_circuit(conn, self.name, partner)
            else:
                delivery_records.keep_circuit(conn, circuit)
