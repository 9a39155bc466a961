"""The time a job has taken, without what its worker did for other jobs as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class JobClock:
    """Counts the seconds of one job after the other; it can stand still in between.

    `late()` is called when a job has taken more than it may.
    """

    def __init__(self, reactor: Any, late: Callable[[], None]) -> None:
        self._reactor = reactor
        self._late = late
        self._before = 0.0
        self._since: float | None = None
        self._limit = 0.0
        self._timer: Any = None

    @property
    def seconds(self) -> float:
        """How long the job has taken so far."""
        running = 0.0 if self._since is None else self._reactor.seconds() - self._since
        return self._before + float(running)

    def start(self, limit: float, *, running: bool) -> None:
        """A job begins that may take `limit` seconds; unless `running` it waits for `go_on`."""
        self.stand_still()
        self._before, self._limit = 0.0, limit
        if running:
            self.go_on()

    def go_on(self) -> None:
        """From here on it counts."""
        if self._since is None:
            self._since = self._reactor.seconds()
        self.allow(self._limit)

    def allow(self, limit: float) -> None:
        """The job may take so long in all."""
        self._limit = limit
        self._cancel()
        if self._since is not None:
            left = max(0.0, limit - self.seconds)
            self._timer = self._reactor.callLater(left, self._late)

    def stand_still(self) -> None:
        """From here on it does not count."""
        self._before, self._since = self.seconds, None
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
