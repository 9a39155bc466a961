"""Sends what is to be told to one receiver: in order, again and again until it arrives.

The messages are in the journal, written with the alert they speak of; this loop is all that reads
them, and nothing else ever waits for it. A message that cannot be told for a week is given up, and
after an hour one that the receiver itself refuses, for later ones wait behind it: what is still on
then, tells `edi-gateway alerts`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import random
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec
from twisted.internet import defer

from gateway.errors import DeliveryFailed, DeliveryRefused
from gateway.service.alerting.messages import AlertMessage
from gateway.service.journal import Journal, alert_records

FIRST_PAUSE_SECONDS: Final = 15.0
LAST_PAUSE_SECONDS: Final = 900.0
GIVEN_UP_AFTER: Final = dt.timedelta(days=7)
REFUSED_GIVEN_UP_AFTER: Final = dt.timedelta(hours=1)
LOOK_SECONDS: Final = 60.0
"""How often the journal is looked at when nothing announced itself."""


class Sender(Protocol):
    """A way to tell people or programs. `where`: the host, for logs."""

    name: str
    where: str

    async def send(self, message: AlertMessage) -> None:
        """Return once it was taken; raises `DeliveryFailed`, or `DeliveryRefused`."""
        ...


class Teller:
    """One receiver's loop."""

    def __init__(
        self,
        reactor: Any,
        sender: Sender,
        *,
        journal: Journal,
        log: Any,
        rng: random.Random,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._reactor = reactor
        self._sender = sender
        self._journal = journal
        self._log = log.bind(receiver=sender.name, host=sender.where)
        self._rng = rng
        self._now = now
        self._stopping = False
        self._woken = False
        self._away = False
        self._sleeping: defer.Deferred[None] | None = None
        self._loop: defer.Deferred[None] | None = None

    @property
    def name(self) -> str:
        """The receiver, as messages in the journal name it."""
        return self._sender.name

    def start(self) -> None:
        """Begin, with what is left from before."""
        self._loop = defer.Deferred.fromCoroutine(self._run())

    async def stop(self) -> None:
        """Send no more; the attempt under way is given up, and its message waits."""
        self._stopping = True
        self.wake()
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.cancel()
            with contextlib.suppress(defer.CancelledError):
                await loop

    def wake(self) -> None:
        """There is something to send."""
        self._woken = True
        sleeping, self._sleeping = self._sleeping, None
        if sleeping is not None:
            sleeping.callback(None)

    async def now_or_never(self, message: AlertMessage) -> str:
        """Send it at once, whatever waits: "" or why it did not arrive. For a trial."""
        try:
            await self._sender.send(message)
        except DeliveryFailed as error:
            return str(error)
        return ""

    # ---- inside

    async def _run(self) -> None:
        while not self._stopping:
            self._woken = False
            try:
                pause = await self._next()
            except defer.CancelledError:
                raise
            except Exception as error:
                # The journal refused, or a fault of ours: the message stands, try again later.
                self._log.error("alert_telling_failed", error=str(error))
                pause = LOOK_SECONDS
            if pause and not self._woken:
                await self._sleep(pause)

    async def _next(self) -> float:
        """Try the oldest message if it is due; seconds until the next look."""
        row = await self._journal.read(
            "alert_message", lambda conn: alert_records.next_message(conn, self.name)
        )
        if row is None:
            return LOOK_SECONDS
        left = (row.next_attempt_at - self._now()).total_seconds()
        # Longer than any pause: the clock was set back since.
        if 0 < left <= LAST_PAUSE_SECONDS:
            return min(left, LOOK_SECONDS)
        message = msgspec.json.decode(row.body, type=AlertMessage)
        try:
            await self._sender.send(message)
        except DeliveryFailed as error:
            await self._failed(row, str(error), refused=isinstance(error, DeliveryRefused))
        except defer.CancelledError:
            raise
        except Exception as error:
            await self._failed(row, f"a fault of ours: {type(error).__name__}")
        else:
            now = self._now()
            await self._journal.write(
                "alert_told", lambda conn: alert_records.close_message(conn, row.id, now)
            )
            self._away = False
            self._log.info("alert_told", alert=row.alert_id, about=row.about)
        return 0.0

    async def _failed(
        self, row: alert_records.ToldRow, error: str, *, refused: bool = False
    ) -> None:
        now = self._now()
        if now - row.created_at >= (REFUSED_GIVEN_UP_AFTER if refused else GIVEN_UP_AFTER):
            await self._journal.write(
                "alert_not_told",
                lambda conn: alert_records.close_message(conn, row.id, now, error),
            )
            self._log.error("alert_given_up", alert=row.alert_id, about=row.about, error=error)
            return
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(row.attempts, 20), LAST_PAUSE_SECONDS)
        again = now + dt.timedelta(seconds=pause * (1 - self._rng.random() / 4))
        await self._journal.write(
            "alert_not_told",
            lambda conn: alert_records.put_off_message(conn, row.id, again, error),
        )
        if not self._away:
            self._away = True
            self._log.warning(
                "alert_not_told",
                error=error,
                remedy="It is tried again by itself, for a week, or for an hour if the receiver"
                " refuses the message itself. Once it is mended, try with: edi-gateway alerts test",
            )

    async def _sleep(self, seconds: float) -> None:
        sleeping: defer.Deferred[None] = defer.Deferred()
        self._sleeping = sleeping
        timer = self._reactor.callLater(seconds, self.wake)
        try:
            await sleeping
        finally:
            self._sleeping = None
            if timer.active():
                timer.cancel()
