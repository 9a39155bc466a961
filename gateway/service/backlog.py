"""The interchanges that wait for a verdict: the near end of what the journal holds.

The journal is the truth. This holds some ids of each partner in memory, works on a bounded number
of them at once, and brings more from the journal when a partner's line runs dry. Partners take
turns, so that one with 100,000 files does not hold back another with ten:

    partner A   ▢▢▢▢▢▢ ← journal       the turn goes round: A, B, C, A, B, A, …
    partner B   ▢▢▢                     each turn is one interchange, oldest first
    partner C   ▢                       one with nothing in work need not wait for a turn

An interchange in memory is in one of three places: in its partner's line, in work, or due later
(a timer). It leaves when its work is over and asked for no other time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet import defer

from gateway.service.journal import Journal
from gateway.service.lines import Item, Line
from gateway.service.refill import Refill

Work = Callable[[str], Coroutine[Any, Any, None]]
"""Sees one interchange through, from wherever it stands; safe to run twice.

Once it returns, nothing is left to do now, unless it asked for another time (`again`, `hold`).
"""

LINE = 4
"""Interchanges of one partner in memory: at most so many times `max_in_flight`."""


class Backlog:
    """Runs `work` for every unfinished interchange, partners in turn.

    Bounds, with P partners that have something to do:

    - At most `max_in_flight` interchanges are in work, and P - 1 more: a partner with nothing in
      work begins at once even when others hold every place (each of theirs may be an archive of
      10,000 documents).
    - Between two turns of a partner that waits in memory, every other partner gets at most one.
      Beyond its turns a partner begins only when nothing of it is in work and no place is free;
      that takes no turn from anybody.
    - At most `LINE * max_in_flight` ids of each partner are in memory, whether they wait, are in
      work or are due later. The rest stays in the journal, and comes in order of arrival.

    An interchange whose work fails (the journal was away, say) is taken up again after
    `retry_seconds`. While `hold` lasts nothing is begun: what waits then costs no attempts.
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
        self._work = work
        self._max_in_flight = max_in_flight
        self._most = LINE * max_in_flight
        self._retry_seconds = retry_seconds
        self._log = log
        self._items: dict[str, Item] = {}
        self._lines: dict[str, Line] = {}
        self._turns: dict[str, Line] = {}
        """Lines with somebody waiting; the first is next."""
        self._running: dict[str, defer.Deferred[None]] = {}
        self._refill = Refill(
            reactor,
            journal=journal,
            most=self._most,
            retry_seconds=retry_seconds,
            enter=self._enter,
            served=self._served,
            log=log,
        )
        self._held: Any = None
        self._pump_due: Any = None
        self._pumping = False
        self.open = False

    @property
    def in_flight(self) -> int:
        """How many interchanges are being worked on."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many more wait in memory."""
        return sum(len(line.waiting) for line in self._turns.values())

    async def start(self) -> None:
        """Take up what the journal holds unfinished. Raises `JournalError`.

        Called once, before `add`.
        """
        self.open = True
        for partner in await self._refill.partners():
            line = self._line(partner)
            line.more = True
            self._look(line)
        await self._refill.run()

    async def stop(self, grace: float) -> None:
        """Let what runs finish for at most `grace` seconds; the rest stays in the journal."""
        self.open = False
        self._refill.stop()
        timers = [item.timer for item in self._items.values()]
        for timer in (*timers, self._held, self._pump_due):
            if timer is not None and timer.active():
                timer.cancel()
        self._items = {id_: item for id_, item in self._items.items() if item.running}
        self._lines.clear()
        self._turns.clear()
        if not self._running:
            return
        done: defer.Deferred[Any] = defer.DeferredList(
            [_watch(deferred) for deferred in self._running.values()], consumeErrors=True
        )
        done.addTimeout(grace, self._reactor)
        with contextlib.suppress(defer.TimeoutError):
            await done
        if self._running:  # a DeferredList that is cut short may answer as if nothing were wrong
            self._log.warning("drain_cut_short", unfinished=len(self._running))
            for deferred in list(self._running.values()):
                deferred.cancel()

    def add(self, interchange_id: str, partner: str) -> bool:
        """Queue an interchange that the journal holds; True if that is news and not yet begun.

        False when it is in memory already (what is in work then is taken up once more after
        that, what is due later is due now), or when the journal will bring it: because memory
        holds enough of this partner, or older ones of it come first; or, after `stop`, at the
        next start.
        """
        if not self.open:
            return False
        if interchange_id in self._items:
            self.again(interchange_id, 0.0)
            return False
        line = self._line(partner)
        if line.more or line.reading or line.known >= self._most:
            line.leave_to_journal(interchange_id)
            self._look(line)
            return False
        self._enter(interchange_id, line)
        if self._pump_due is None:
            # Not at once: the caller may have something to note down first.
            self._pump_due = self._reactor.callLater(0, self._pump_now)
        return True

    def again(self, interchange_id: str, seconds: float) -> None:
        """Take the interchange up again in so many seconds; of several times, the first counts.

        Called by the work on it; raises KeyError for an interchange that is not in memory.
        """
        if not self.open:
            return
        item = self._items[interchange_id]
        due = self._reactor.seconds() + max(0.0, seconds)
        if item.running:
            item.due = due if item.due is None else min(item.due, due)
        elif item.timer is not None and due < item.timer.getTime():
            item.timer.reset(max(0.0, seconds))

    def hold(self, interchange_id: str, seconds: float) -> bool:
        """Nothing can be worked on now: put this one back, begin nothing for `seconds`.

        True if that is news. Called by the work on `interchange_id` itself.
        """
        if not self.open:
            return False
        self._items[interchange_id].first = True
        if self._held is not None:
            return False
        self._held = self._reactor.callLater(seconds, self._go_on)
        return True

    # ---- who is next

    def _pump_now(self) -> None:
        self._pump_due = None
        self._pump()

    def _go_on(self) -> None:
        self._held = None
        self._pump()

    def _pump(self) -> None:
        if self._pumping:
            return  # work was over as soon as it began: the loop below goes on
        self._pumping = True
        try:
            # Asked each time: the work itself may hold everything while it is being begun.
            while (line := self._next()) is not None:
                self._begin(line)
        finally:
            self._pumping = False

    def _next(self) -> Line | None:
        if not self.open or self._held is not None:
            return None
        if len(self._running) < self._max_in_flight:
            return next(iter(self._turns.values()), None)
        return next((line for line in self._turns.values() if not line.running), None)

    def _begin(self, line: Line) -> None:
        item = line.waiting.popleft()
        del self._turns[line.partner]
        if line.waiting:
            self._turns[line.partner] = line  # last, until its turn comes again
        item.running = True
        line.running += 1
        self._look(line)
        deferred = defer.Deferred.fromCoroutine(self._work(item.id))
        self._running[item.id] = deferred
        deferred.addErrback(self._went_wrong, item)
        deferred.addBoth(self._finished, item)

    def _went_wrong(self, failure: Any, item: Item) -> None:
        if failure.check(defer.CancelledError):
            return
        self._log.error(
            "interchange_not_read",
            interchange=item.id,
            partner=item.line.partner,
            flow=None,
            error=str(failure.value),
            traceback=failure.getTraceback(),
        )
        self.again(item.id, self._retry_seconds)

    def _finished(self, _: object, item: Item) -> None:
        del self._running[item.id]
        line, due, first = item.line, item.due, item.first
        item.running, item.due, item.first = False, None, False
        line.running -= 1
        if self.open and first:
            line.waiting.appendleft(item)
            self._turns.setdefault(line.partner, line)
        elif self.open and due is not None:
            pause = max(0.0, due - self._reactor.seconds())
            item.timer = self._reactor.callLater(pause, self._due, item)
        else:
            del self._items[item.id]
            line.known -= 1
            self._refill.ended(item.id, line)
        self._look(line)
        self._pump()

    def _due(self, item: Item) -> None:
        item.timer = None
        self._wait(item)
        self._pump()

    def _wait(self, item: Item) -> None:
        item.line.waiting.append(item)
        self._turns.setdefault(item.line.partner, item.line)

    # ---- what is in memory

    def _line(self, partner: str) -> Line:
        return self._lines.setdefault(partner, Line(partner))

    def _enter(self, interchange_id: str, line: Line) -> None:
        if interchange_id in self._items:
            return
        item = self._items[interchange_id] = Item(interchange_id, line)
        line.known += 1
        self._wait(item)

    def _look(self, line: Line) -> None:
        """Ask for more for this line if it has run dry; forget it if that was all."""
        if not self.open or line.reading:
            return
        if line.more and not line.waiting and line.known < self._most:
            self._refill.want(line)
        elif not line.more and not line.known:
            del self._lines[line.partner]

    def _served(self, line: Line) -> None:
        self._look(line)
        self._pump()


def _watch(deferred: defer.Deferred[None]) -> defer.Deferred[None]:
    """A Deferred that fires with another one and whose cancelling leaves that one alone."""
    watcher: defer.Deferred[None] = defer.Deferred()

    def relay(result: Any) -> Any:
        if not watcher.called:
            watcher.callback(None)
        return result

    deferred.addBoth(relay)
    return watcher
