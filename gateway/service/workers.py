"""The pool of worker processes: one queue, N supervised children, one job each.

What one job does to its worker never touches another job: a worker that hangs, dies or grows is
killed, its job alone fails, and another worker takes its place; so does one that keeps too much
of what a large job took. What a job may take depends on its size (worker_budget).

Two things are kept from running wild. Workers that crash again and again are respawned with
growing pauses. Workers that cannot even start (a rule pack is missing, say) are not respawned for
ever: after three failures in a row the pool is broken, and says so in the worker's own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from twisted.internet import defer, task

from gateway.errors import GatewayError, WorkerDied, WorkersBroken, WorkersStopped
from gateway.service.worker_budget import Allowance, Budget
from gateway.service.worker_jobs import WORKING, Job, PoolStatus, WorkerState
from gateway.service.worker_process import LINGER_SECONDS, WorkerProcess
from gateway.service.worker_queue import FairQueue

BOOT_FAILURES: Final = 3
"""So many workers in a row that fail to start stop the respawning."""

WATCH_SECONDS: Final = 0.25
"""How often the memory of each worker is looked at: some documents take more than 1 GB a second,
and looking takes some ten microseconds."""

PAUSE_MIN: Final = 0.2
PAUSE_MAX: Final = 30.0
CRASH_PAUSE_MAX = 2.0
"""A worker that a document ended is replaced within this time: the next one may be good."""


class WorkerPool:
    """Runs jobs on `size` worker processes; partners take turns.

    `command` starts one; `boot` is the payload of its first frame. `boot_limit` (seconds) bounds
    the start, `budget` what a job may take; without one, every job may take `time_limit` (seconds)
    and its process `memory_limit_mb` of resident memory, by the settings of the table `section`.
    `log` is a structlog logger.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        command: Sequence[str],
        boot: bytes,
        size: int,
        boot_limit: float,
        time_limit: float = 0.0,
        memory_limit_mb: int = 0,
        section: str = "judges",
        budget: Budget | None = None,
        log: Any,
    ) -> None:
        if size < 1:
            raise ValueError("a pool needs at least one worker")
        self._reactor = reactor
        self._command = tuple(command)
        self._boot = boot
        self._size = size
        self._boot_limit = boot_limit
        self._budget = budget or Budget(
            time=Allowance(f"{section}.time_limit_seconds", time_limit),
            memory=Allowance(f"{section}.memory_limit_mb", memory_limit_mb),
        )
        self._log = log
        self._workers: list[WorkerProcess] = []
        self._queue: FairQueue[Job] = FairQueue()
        self._in_lane: WorkerProcess | None = None
        self._respawns: list[Any] = []
        self._starting: defer.Deferred[None] | None = None
        self._ended: list[defer.Deferred[None]] = []
        self._stopping = False
        self._broken: str | None = None
        self._boot_failures = 0
        self._crashes = 0
        self._deaths = 0
        self._watch = task.LoopingCall(self._watch_memory)
        self._watch.clock = reactor

    # ---- for the rest of the gateway

    async def start(self) -> None:
        """Start all workers at once; return when every one is ready.

        Raises WorkersBroken, with the worker's own words, when they cannot start; the pool may
        then be started again.
        """
        if self._stopping:
            raise WorkersStopped("The workers were stopped.")
        self._broken = None
        self._boot_failures = 0
        self._starting = defer.Deferred()
        if not self._watch.running:
            self._watch.start(WATCH_SECONDS, now=False)
        self._fill()
        self._check_started()
        try:
            await self._starting
        except WorkersBroken:
            # Those that work go on: a job under way has no part in this.
            for worker in list(self._workers):
                if worker.state is WorkerState.BOOTING:
                    worker.kill(WorkerDied("Killed, because another worker could not start."))
            raise
        finally:
            self._starting = None

    async def run(
        self, payload: bytes, *, partner: str = "", size: int = 0, alone: bool = False
    ) -> bytes:
        """The worker's answer to one job; cancelling it frees its place at once.

        It takes one of `partner`'s turns, and what a job about `size` bytes may take; `alone`, it
        never runs beside another such job. Raises
        WorkerTimeout or WorkerDied when the job cost its worker (it hung, ended, grew or talked
        nonsense), WorkerUnprepared when that happened before the worker was ready for it,
        WorkersStopped when the gateway stops, WorkersBroken when there is no worker,
        GatewayError with the worker's words when it said that it failed.
        """
        self._refuse_if_closed()
        job = Job(payload, self._give_up, partner=partner, size=size, alone=alone)
        self._queue.put(job)
        self._dispatch()
        return await job.done

    async def stop(self, grace: float) -> None:
        """Take no job, let running ones finish for `grace` seconds, then end every process.

        Returns when no process is left. Jobs in the queue, and those that do not finish in time,
        fail with WorkersStopped.
        """
        self._stopping = True
        if self._watch.running:
            self._watch.stop()
        for call in self._respawns:
            if call.active():
                call.cancel()
        self._respawns.clear()
        stopped = WorkersStopped("The workers are being stopped; the job was not run.")
        self._fail_queue(stopped)
        if self._starting is not None and not self._starting.called:
            self._starting.errback(stopped)
        for worker in list(self._workers):
            if worker.state is WorkerState.BOOTING:
                worker.kill(stopped)
            elif worker.state is WorkerState.IDLE:
                worker.dismiss()
        if not self._workers:
            return
        ended: defer.Deferred[None] = defer.Deferred()
        self._ended.append(ended)
        timers = [
            self._reactor.callLater(grace, self._kill_busy),
            self._reactor.callLater(grace + 3 * LINGER_SECONDS, self._give_up_waiting),
        ]
        try:
            await ended
        finally:
            for timer in timers:
                if timer.active():
                    timer.cancel()

    def status(self) -> PoolStatus:
        """A snapshot for people."""
        return PoolStatus(
            size=self._size,
            queued=len(self._queue),
            workers=tuple(worker.status() for worker in self._workers),
            deaths=self._deaths,
            broken=self._broken,
        )

    # ---- jobs

    def _dispatch(self) -> None:
        while True:
            resting = (w for w in self._workers if w.state is WorkerState.IDLE)
            idle = min(resting, key=lambda worker: worker.prepares, default=None)
            job = self._queue.take() if idle is not None else None
            if idle is None or job is None:
                return
            if job.alone:
                self._in_lane = idle
            idle.give(job)

    def _leave_lane(self, worker: WorkerProcess) -> None:
        """The lane is free when its worker can take other jobs, or is gone: not a moment before.

        A process that is being killed still holds its memory.
        """
        if worker is self._in_lane:
            self._in_lane = None
            self._queue.leave_lane()

    def _give_up(self, job: Job) -> None:
        """The caller cancelled: nobody waits for the answer, so nobody works on it."""
        self._queue.remove(job)
        for worker in self._workers:
            if worker.job is job:
                worker.job = None
                worker.kill(WorkerDied(f"Worker {worker.pid} was killed: its job was cancelled."))

    def _fail_queue(self, error: GatewayError) -> None:
        for job in self._queue.clear():
            job.fail(error)

    def _refuse_if_closed(self) -> None:
        if self._stopping:
            raise WorkersStopped("The workers are being stopped; the job was not run.")
        if self._broken is not None and not self._workers:
            raise self._broken_error()

    # ---- processes

    def _fill(self) -> None:
        while len(self._workers) < self._size and self._broken is None:
            self._spawn()

    def _spawn(self) -> None:
        worker = WorkerProcess(
            self._reactor,
            boot=self._boot,
            boot_limit=self._boot_limit,
            budget=self._budget,
            on_ready=self._on_ready,
            on_end=self._on_end,
            log=self._log,
        )
        try:
            worker.spawn(self._command)
        except OSError as error:
            self._break(f"{self._command[0]} could not be run: {error}")
            return
        self._workers.append(worker)
        self._log.debug("worker_started", worker=worker.pid)

    def _respawn(self, pause: float) -> None:
        if pause <= 0:
            self._fill()
            return
        self._respawns = [call for call in self._respawns if call.active()]
        self._respawns.append(self._reactor.callLater(pause, self._respawn_now))

    def _respawn_now(self) -> None:
        if not self._stopping and self._broken is None and len(self._workers) < self._size:
            self._spawn()

    def _on_ready(self, worker: WorkerProcess) -> None:
        """A worker finished booting, or its job."""
        if worker.jobs:
            self._crashes = 0
        else:
            self._log.info("worker_ready", worker=worker.pid, rss_mb=round(worker.rss_mb()))
            self._boot_failures = 0
            if self._broken is not None:
                self._broken = None
                self._fill()
        if self._stopping:
            worker.dismiss()
            return
        if worker.is_bloated() and self._broken is None:
            worker.retire()
            return
        self._leave_lane(worker)
        self._dispatch()
        self._check_started()

    def _on_end(self, worker: WorkerProcess) -> None:
        """A worker is gone: decide whether, and when, another takes its place."""
        self._workers.remove(worker)
        self._leave_lane(worker)
        if self._stopping:
            if not self._workers:
                self._tell_ended()
            return
        self._dispatch()
        self._deaths += not worker.retired
        if worker.boot_failure is not None:
            self._boot_failures += 1
            self._log.error("worker_boot_failed", worker=worker.pid, words=worker.boot_failure)
            if self._boot_failures >= BOOT_FAILURES or self._broken is not None:
                self._break(worker.boot_failure)
            else:
                self._respawn(_pause(self._boot_failures))
        elif self._broken is not None:
            self._break(self._broken)
        elif worker.crashed:
            self._crashes += 1
            # The first crash costs nothing: one bad document must not slow the others.
            self._respawn(_pause(self._crashes - 1, CRASH_PAUSE_MAX))
        else:
            self._respawn(0)

    def _break(self, words: str) -> None:
        """Stop respawning. Workers that live go on; without any, no job can run."""
        if self._broken is None:
            self._broken = words
            self._log.critical("workers_broken", words=words, left=len(self._workers))
        if self._starting is not None and not self._starting.called:
            self._starting.errback(self._broken_error())
        if not self._workers:
            self._fail_queue(self._broken_error())

    def _broken_error(self) -> WorkersBroken:
        return WorkersBroken(
            f"The workers cannot start: {self._broken}",
            remedy="Mend this and restart the gateway; `edi-gateway check` says what is wrong.",
        )

    def _check_started(self) -> None:
        ready = sum(w.state in WORKING for w in self._workers)
        if ready >= self._size and self._starting is not None and not self._starting.called:
            self._starting.callback(None)

    def _tell_ended(self) -> None:
        waiting, self._ended = self._ended, []
        for ended in waiting:
            if not ended.called:
                ended.callback(None)

    def _give_up_waiting(self) -> None:
        """Not even SIGKILL ends a process that the kernel holds; the gateway must still stop."""
        self._log.error("workers_left", workers=[worker.pid for worker in self._workers])
        self._tell_ended()

    def _kill_busy(self) -> None:
        for worker in list(self._workers):
            if worker.state is not WorkerState.ENDING:
                worker.kill(
                    WorkersStopped(
                        f"Worker {worker.pid} was killed before it finished: the gateway stops.",
                        remedy="The document is judged again at the next start.",
                    )
                )

    def _watch_memory(self) -> None:
        for worker in list(self._workers):
            worker.watch_memory()


def _pause(times: int, longest: float = PAUSE_MAX) -> float:
    """How long to wait after so many failures in a row."""
    return 0.0 if times <= 0 else min(longest, PAUSE_MIN * 2.0 ** min(times, 20))
