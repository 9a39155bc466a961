"""Looking again and again, as long as the gateway runs: what a watch does by the clock.

It only watches: whatever keeps it from looking is logged, and it looks again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet import defer, task


class Looking:
    """Calls `look` every so many seconds, one look at a time; `failed` is the log's event."""

    def __init__(
        self, reactor: Any, look: Callable[[], Awaitable[Any]], *, failed: str, log: Any
    ) -> None:
        self._look = look
        self._failed = failed
        self._log = log
        self._loop = task.LoopingCall(self._turn)
        self._loop.clock = reactor
        self._going: defer.Deferred[None] | None = None

    def start(self, seconds: float, *, now: bool = True) -> None:
        """Look that often; `now`: also at once."""
        self._loop.start(seconds, now=now)

    async def stop(self) -> None:
        """Look no more, and let the look under way end."""
        if self._loop.running:
            self._loop.stop()
        if self._going is not None:
            await self._going

    def _turn(self) -> defer.Deferred[None]:
        self._going = defer.Deferred.fromCoroutine(self._quietly())
        return self._going

    async def _quietly(self) -> None:
        try:
            await self._look()
        except Exception as error:
            self._log.error(self._failed, error=str(error))
