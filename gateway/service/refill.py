"""Brings unfinished interchanges from the journal into memory, one partner's line at a time.

A line is looked through from the oldest interchange to the newest, a bounded number at a time, and
asks for the next ones when it has run dry. Lines are served in the order in which they ran dry:
a line that never does takes nothing from the others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial as bind
from typing import Any

from twisted.internet import defer

from gateway.service.journal import Journal, records
from gateway.service.lines import Line


class Refill:
    """Fills lines up to `most` interchanges each.

    `enter` takes an id into memory, unless it is there already; `served` hears after each look.
    When the journal cannot be read, that is tried again after `retry_seconds`.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal,
        most: int,
        retry_seconds: float,
        enter: Callable[[str, Line], None],
        served: Callable[[Line], None],
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._journal = journal
        self._most = most
        self._retry_seconds = retry_seconds
        self._enter = enter
        self._served = served
        self._log = log
        self._dry: dict[str, Line] = {}
        """Lines that want more, the first first."""
        self._ended: set[str] = set()
        """Over since the present look began, which may still show them unfinished."""
        self._timer: Any = None
        self._running = False
        self._stopped = False

    async def partners(self) -> list[str]:
        """Every partner for whom the journal holds something unfinished."""
        return await self._journal.read("unfinished", records.partners_with_work)

    def want(self, line: Line) -> None:
        """The line has run dry; bring more soon."""
        self._dry[line.partner] = line
        if not self._running and self._timer is None:
            # Not at once: many lines may run dry in one go.
            self._timer = self._reactor.callLater(0, self._begin)

    def ended(self, interchange_id: str, line: Line) -> None:
        """The work on this one is over: a look that began before must not bring it again."""
        if line.reading:
            self._ended.add(interchange_id)

    def stop(self) -> None:
        """Bring nothing any more."""
        self._stopped = True
        self._dry.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def run(self) -> None:
        """Serve every line that wants more. Raises `JournalError`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._running = True
        try:
            while self._dry:
                line = self._dry.pop(next(iter(self._dry)))
                await self._bring(line)
                if not self._stopped:
                    self._served(line)
        finally:
            self._running = False

    async def _bring(self, line: Line) -> None:
        line.more, line.reading = False, True
        self._ended.clear()
        try:
            ids = await self._journal.read(
                "unfinished",
                bind(
                    records.unfinished_of,
                    partner=line.partner,
                    after=line.after,
                    limit=self._most,
                ),
            )
        except BaseException:
            line.more = True
            self._dry[line.partner] = line
            raise
        finally:
            line.reading = False
        if self._stopped:
            return
        for id_ in ids:
            if id_ not in self._ended:
                if line.known >= self._most:
                    line.more = True
                    return
                self._enter(id_, line)
            line.passed(id_)
        if len(ids) == self._most:
            line.more = True
        else:
            line.passed_all()

    def _begin(self) -> None:
        self._timer = None
        defer.Deferred.fromCoroutine(self.run()).addErrback(self._failed)

    def _failed(self, failure: Any) -> None:
        if self._stopped:
            return
        self._log.error("backlog_not_read", error=str(failure.value))
        self._timer = self._reactor.callLater(self._retry_seconds, self._begin)
