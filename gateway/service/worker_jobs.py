"""What passes between the worker pool and its processes, and what both show of themselves."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec
from twisted.internet import defer

from gateway.errors import GatewayError


class WorkerState(StrEnum):
    """Where a worker process stands."""

    BOOTING = "booting"
    IDLE = "idle"
    BUSY = "busy"
    ENDING = "ending"


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


class JobLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long one job may take (seconds), and how large its process may grow (resident memory).

    The settings they come from are named in the error of a job that was beyond them.
    """

    seconds: float
    seconds_setting: str
    memory_mb: int
    memory_setting: str


class Job:
    """One payload, whose it is, and the Deferred its answer fires.

    `alone`: it is large or has cost a worker before, and runs beside no other such job.
    """

    __slots__ = ("alone", "done", "partner", "payload")

    def __init__(
        self,
        payload: bytes,
        canceller: Callable[[Job], None],
        *,
        partner: str = "",
        alone: bool = False,
    ) -> None:
        self.payload = payload
        self.partner = partner
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
