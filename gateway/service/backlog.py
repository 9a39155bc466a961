"""The interchanges that wait for a verdict: the near end of what the journal holds.

The journal is the truth; this holds a bounded number of ids in memory, runs a bounded number of
them at once, and brings more from the journal when it runs dry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from twisted.internet import defer

from gateway.service.journal import Journal, records

Work = Callable[[str], Coroutine[Any, Any, None]]
"""Sees one interchange through, from wherever it stands; safe to run twice."""


class Backlog:
    """Runs `work` for every unfinished interchange, `max_in_flight` at once.

    An interchange whose work fails (the journal was away, say) is taken up again after
    `retry_seconds`. While `hold` lasts nothing is begun: what waits then costs neither memory
    nor attempts.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal,
        work: Work,
        max_in_flight: int,
        retry_seconds: float,
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._journal = journal
        self._work = work
        self._max_in_flight = max_in_flight
        self._retry_seconds = retry_seconds
        self._log = log
        self._waiting: deque[str] = deque()
        self._known: set[str] = set()
        """Waiting, running or due later: what a look into the journal must not bring again."""
        self._running: dict[str, defer.Deferred[None]] = {}
        self._timers: dict[str, Any] = {}
        self._put_back: set[str] = set()
        """Running still, and first in line once it is over."""
        self._held: Any = None
        self._more_in_journal = False
        self._refilling = False
        self.open = False

    @property
    def in_flight(self) -> int:
        """How many interchanges are being worked on."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many more are in memory."""
        return len(self._waiting)

    async def start(self) -> None:
        """Take up what the journal holds unfinished."""
        self.open = True
        await self._refill()

    async def stop(self, grace: float) -> None:
        """Let what runs finish for at most `grace` seconds; the rest stays in the journal."""
        self.open = False
        self._waiting.clear()
        self._more_in_journal = False
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._timers.clear()
        self._put_back.clear()
        if self._held is not None and self._held.active():
            self._held.cancel()
        self._held = None
        if not self._running:
            return
        done: defer.Deferred[Any] = defer.DeferredList(
            [_watch(deferred) for deferred in self._running.values()], consumeErrors=True
        )
        done.addTimeout(grace, self._reactor)
        try:
            await done
        except defer.TimeoutError:
            self._log.warning("drain_cut_short", unfinished=len(self._running))
            for deferred in list(self._running.values()):
                deferred.cancel()

    def add(self, interchange_id: str) -> bool:
        """Queue an interchange; False when the journal will bring it.

        That is when memory holds enough, and after `stop`: at the next start.
        """
        if not self.open or interchange_id in self._known:
            return False
        if len(self._waiting) >= 8 * self._max_in_flight:
            self._more_in_journal = True
            return False
        self._known.add(interchange_id)
        self._waiting.append(interchange_id)
        self._reactor.callLater(0, self._pump)
        return True

    def again(self, interchange_id: str, seconds: float) -> None:
        """Take the interchange up again after a while."""
        if self.open and interchange_id not in self._timers:
            self._timers[interchange_id] = self._reactor.callLater(
                max(0.0, seconds), self._due, interchange_id
            )

    def hold(self, interchange_id: str, seconds: float) -> bool:
        """Nothing can be worked on now: put this one back, begin nothing for `seconds`.

        True if that is news. Called by the work on `interchange_id` itself.
        """
        if not self.open:
            return False
        self._put_back.add(interchange_id)
        if self._held is not None:
            return False
        self._held = self._reactor.callLater(seconds, self._go_on)
        return True

    def _go_on(self) -> None:
        self._held = None
        self._pump()

    def _due(self, interchange_id: str) -> None:
        self._timers.pop(interchange_id, None)
        self._known.discard(interchange_id)
        self.add(interchange_id)

    def _pump(self) -> None:
        # Asked each time: the work itself may hold everything while it is being begun.
        while self._waiting and self._may_begin():
            interchange_id = self._waiting.popleft()
            deferred = defer.Deferred.fromCoroutine(self._work(interchange_id))
            self._running[interchange_id] = deferred
            deferred.addErrback(self._went_wrong, interchange_id)
            deferred.addBoth(self._finished, interchange_id)
        if (
            self._more_in_journal
            and not self._waiting
            and not self._refilling
            and self.open
            and self._held is None
        ):
            defer.Deferred.fromCoroutine(self._refill()).addErrback(self._refill_failed)

    def _may_begin(self) -> bool:
        return self._held is None and len(self._running) < self._max_in_flight

    async def _refill(self) -> None:
        """Bring unfinished interchanges from the journal, oldest first, a bounded number."""
        self._refilling = True
        try:
            limit = 4 * self._max_in_flight
            after = ""
            self._more_in_journal = False
            while True:
                rows = await self._journal.read(
                    "unfinished",
                    partial(records.unfinished_interchanges, after=after, limit=limit),
                )
                for row in rows:
                    if row.id not in self._known:
                        self._known.add(row.id)
                        self._waiting.append(row.id)
                if len(rows) < limit:
                    break
                if len(self._waiting) >= limit:
                    self._more_in_journal = True
                    break
                after = rows[-1].id
        finally:
            self._refilling = False
        self._pump()

    def _refill_failed(self, failure: Any) -> None:
        self._log.error("backlog_not_read", error=str(failure.value))
        self._more_in_journal = True
        if self.open:
            self._reactor.callLater(self._retry_seconds, self._pump)

    def _finished(self, _: object, interchange_id: str) -> None:
        self._running.pop(interchange_id, None)
        if interchange_id in self._put_back:
            self._put_back.discard(interchange_id)
            self._waiting.appendleft(interchange_id)
        elif interchange_id not in self._timers:
            self._known.discard(interchange_id)
        self._pump()

    def _went_wrong(self, failure: Any, interchange_id: str) -> None:
        if failure.check(defer.CancelledError):
            return
        self._log.error(
            "interchange_not_read",
            interchange=interchange_id,
            error=str(failure.value),
            traceback=failure.getTraceback(),
        )
        self.again(interchange_id, self._retry_seconds)


def _watch(deferred: defer.Deferred[None]) -> defer.Deferred[None]:
    """A Deferred that fires with another one and whose cancelling leaves that one alone."""
    watcher: defer.Deferred[None] = defer.Deferred()

    def relay(result: Any) -> Any:
        if not watcher.called:
            watcher.callback(None)
        return result

    deferred.addBoth(relay)
    return watcher
