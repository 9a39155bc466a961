"""Notices that the computer's clock was set, and keeps what waits from waiting longer for it.

Pauses, time limits and sessions are measured by a clock that only goes forward: the reactor's
(`cli/run` sees to that), and `time.monotonic` elsewhere. What stands in the journal is in the
time of day: when something came, and when what failed is tried again. Set forward, all of it is due
at once, and that is all. Set back, what was due in a second would be due in an hour: it is tried at
once instead. The journal's own order is that of its row numbers and suffers from neither.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from gateway.service.journal import Journal, clock_records
from gateway.service.looking import Looking

SECONDS: Final = 1.0
"""How often it looks."""
NOTICED: Final = dt.timedelta(seconds=2)
"""A clock that is steered goes a little slower or faster; less than this was not set."""


class ClockWatch:
    """`told` hears when what waits may be tried: after it was written that it is due."""

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal,
        told: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._reactor = reactor
        self._journal = journal
        self._told = told
        self._log = log
        self._now = now
        self._offset = dt.timedelta()
        self._looking = Looking(reactor, self.look, failed="clock_watch_failed", log=log)

    async def start(self) -> None:
        """Compare with the journal, whose last step may lie in the future, then look on."""
        self._offset = self._measured()
        newest = await self._journal.read("newest_step", clock_records.newest_step)
        if newest is not None and newest - self._now() > NOTICED:
            await self._set_back(newest - self._now())
        self._looking.start(SECONDS, now=False)

    async def stop(self) -> None:
        """Look no more, and let the look under way end."""
        await self._looking.stop()

    async def look(self) -> None:
        """Find out whether the clock was set since the last look, and by how much."""
        offset = self._measured()
        set_by = offset - self._offset
        if abs(set_by) <= NOTICED:
            return  # slow steering adds up: it is measured against the same offset next time
        if set_by > dt.timedelta():
            self._log.warning("clock_set_forward", seconds=round(set_by.total_seconds()))
        else:
            await self._set_back(-set_by)
        self._offset = offset

    def _measured(self) -> dt.timedelta:
        """The time of day against the clock that only goes forward."""
        since = dt.timedelta(seconds=self._reactor.seconds())
        return self._now() - dt.datetime(1970, 1, 1, tzinfo=dt.UTC) - since

    async def _set_back(self, by: dt.timedelta) -> None:
        number = await self._journal.write(
            "clock_set_back", partial(clock_records.try_all_now, now=self._now())
        )
        self._log.warning("clock_set_back", seconds=round(by.total_seconds()), tried_at_once=number)
        self._told()
