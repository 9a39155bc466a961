"""What passes between the worker pool and its processes, and what both show of themselves."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec
from twisted.internet import defer

from gateway.errors import GatewayError


class WorkerState(StrEnum):
    """Where a worker process stands."""

    BOOTING = "booting"
    IDLE = "idle"
    BUSY = "busy"
    ENDING = "ending"


WORKING: Final = frozenset({WorkerState.IDLE, WorkerState.BUSY})
"""They take jobs, or have one."""


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What `status` shows of one worker. `seconds`: how long it has been in its state."""

    pid: int
    state: WorkerState
    seconds: float
    jobs: int
    rss_mb: float


class PoolStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What `status` shows. `broken` holds the words of the last worker that failed to start."""

    size: int
    queued: int
    workers: tuple[WorkerStatus, ...]
    deaths: int
    broken: str | None


class Job:
    """One payload, whose it is, and the Deferred its answer fires.

    `size`: of what it is about, in bytes. `alone`: it is large or has cost a worker before, and
    runs beside no other such job.
    """

    __slots__ = ("alone", "done", "partner", "payload", "size")

    def __init__(
        self,
        payload: bytes,
        canceller: Callable[[Job], None],
        *,
        partner: str = "",
        size: int = 0,
        alone: bool = False,
    ) -> None:
        self.payload = payload
        self.partner = partner
        self.size = size
        self.alone = alone
        self.done: defer.Deferred[bytes] = defer.Deferred(lambda _: canceller(self))

    def succeed(self, answer: bytes) -> None:
        """Fire with the answer, unless the job was given up."""
        if not self.done.called:
            self.done.callback(answer)

    def fail(self, error: GatewayError) -> None:
        """Fire with the failure, unless the job was given up."""
        if not self.done.called:
            self.done.errback(error)
