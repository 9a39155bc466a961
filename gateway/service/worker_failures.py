"""Why a worker process was ended, or ended by itself: what its undetermined document says."""

from __future__ import annotations

import signal
from typing import Final

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.python.failure import Failure

from gateway.errors import GatewayError, WorkerDied, WorkerTimeout, WorkerUnprepared
from gateway.service.worker_budget import Budget

_KILL_REMEDY: Final = "Nothing to do yet: the document is tried once more, alone."


def too_slow(pid: int, budget: Budget, size: int, used_mb: float, words: str) -> WorkerTimeout:
    """A job about `size` bytes took all its time. `words`: the last ones of the process."""
    allowed = budget.time
    return WorkerTimeout(
        f"Worker {pid} took more than {round(allowed.amount(size), 1):g} s "
        f"({allowed.account(size)}) and was killed; it had used {used_mb:.0f} MB of memory{words}.",
        remedy=allowed.remedy(size),
    )


def too_large(
    pid: int, budget: Budget, size: int, used_mb: float, seconds: float | None
) -> WorkerDied:
    """A process grew beyond what it may use, after so many seconds of its job, if it had one."""
    allowed = budget.memory
    after = "" if seconds is None else f" after {seconds:.1f} s"
    return WorkerDied(
        f"Worker {pid} used {used_mb:.0f} MB of memory, more than the limit of "
        f"{allowed.amount(size):.0f} MB ({allowed.account(size)}), and was killed{after}.",
        remedy=allowed.remedy(size),
    )


def not_ready(pid: int, seconds: float, words: str, *, prepares: bool) -> WorkerTimeout:
    """A process took too long to start, or to prepare what it needs."""
    ready = "done with compiling" if prepares else "ready"
    return WorkerTimeout(
        f"Worker {pid} was not {ready} within {seconds:g} s and was killed{words}.",
        remedy="Look for what keeps it busy, or raise judges.boot_limit_seconds.",
    )


def unprepared(error: GatewayError) -> WorkerUnprepared:
    """What a job hears whose worker ended, with that error, before it could go on with it."""
    return WorkerUnprepared(f"{error.what} It was compiling rule packs.", remedy=error.remedy)


def nonsense(pid: int, what: str, words: str) -> WorkerDied:
    """A process said what it must not."""
    return WorkerDied(
        f"Worker {pid} broke the protocol and was killed: {what}{words}.", remedy=_KILL_REMEDY
    )


def ended(pid: int, reason: Failure, words: str) -> WorkerDied:
    """A process ended that nobody ended."""
    how = how_it_ended(reason)
    if getattr(reason.value, "signal", None) == signal.SIGKILL:
        how += ", perhaps by the system, out of memory"
    return WorkerDied(f"Worker {pid} ended by itself: {how}{words}.", remedy=_KILL_REMEDY)


def how_it_ended(reason: Failure) -> str:
    """How a process ended."""
    value = reason.value
    if isinstance(value, ProcessDone):
        return "exit code 0"
    if isinstance(value, ProcessTerminated):
        if value.signal is not None:
            return f"killed by {signal.Signals(value.signal).name}"
        return f"exit code {value.exitCode}"
    return str(value)
