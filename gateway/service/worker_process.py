"""One worker process as the pool sees it: a pipe that takes one job at a time.

    booting ─▶ idle ⇄ busy
       └────────┴──────┴─▶ ending ─▶ (gone)

Idle or busy, it may say that it prepares what later jobs need as well, until it says that it is
at work again. Meanwhile the clock of its job stands still, and the limit for booting holds.

The process speaks frames (gateway.frames) on its standard input and output; what it writes on
standard error goes to the log, line by line. Everything that can go wrong with it (it does not
start, hangs, dies, grows, talks nonsense) ends the process and fails the one job it held, with
an error that says which of these it was. Whether another process takes its place is the pool's
business (gateway.service.workers).
"""

# ruff: noqa: N802, N803 (the names of ProcessProtocol's methods are Twisted's)

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from gateway import frames
from gateway.errors import GatewayError, WorkerDied, WorkerTimeout
from gateway.service import worker_failures as failures
from gateway.service.worker_budget import Budget
from gateway.service.worker_clock import JobClock
from gateway.service.worker_jobs import Job, WorkerState, WorkerStatus
from gateway.service.worker_words import StandardError

LINGER_SECONDS: Final = 2.0
"""How long a process may take to end after it said goodbye, or after its output closed."""

_DIGITS: Final = 18
"""Of the size of a job, as a worker may tell it."""

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class WorkerProcess(ProcessProtocol):
    """Supervises one child process.

    `on_ready(worker)` is called whenever it can take a job, `on_end(worker)` once, when the
    process is gone and reaped; `boot_failure` then says why it never became ready, if so.
    `budget` is what each job may take; `boot_limit` (seconds) is for its start, and for each time
    it prepares something.
    """

    transport: Any

    def __init__(
        self,
        reactor: Any,
        *,
        boot: bytes,
        boot_limit: float,
        budget: Budget,
        on_ready: Callable[[WorkerProcess], None],
        on_end: Callable[[WorkerProcess], None],
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._boot = boot
        self._boot_limit = boot_limit
        self._budget = budget
        self._size = 0
        self._clock = JobClock(reactor, self._too_slow)
        self._on_ready = on_ready
        self._on_end = on_end
        self._log = log
        self._decoder = frames.FrameDecoder()
        self._timer: Any = None
        self._since: float = reactor.seconds()
        self._was_ready = False
        self._dismissed = False
        self._verdict: GatewayError | None = None
        self._stderr = StandardError(self._say)
        self._ready_mb = 0.0
        self._prepares_from_mb: float | None = None
        self.state = WorkerState.BOOTING
        self.pid: int = 0
        self.job: Job | None = None
        self.jobs = 0
        self.boot_failure: str | None = None
        self.crashed = False
        self.retired = False

    # ---- what the pool asks

    def spawn(self, command: Sequence[str]) -> None:
        """Start the process and send its boot frame. Raises OSError if it cannot be started."""
        self._reactor.spawnProcess(self, command[0], list(command), env=None)

    @property
    def prepares(self) -> bool:
        """Whether it prepares something, so that a job would have to wait."""
        return self._prepares_from_mb is not None

    def give(self, job: Job) -> None:
        """Run `job` within its budget; the worker must be idle."""
        if self.state is not WorkerState.IDLE:
            raise RuntimeError(f"worker {self.pid} is {self.state}, not idle")
        self.job = job
        self._size = self._budget.counted(job.size, alone=job.alone)
        self._stderr.forget()
        self._enter(WorkerState.BUSY)
        self._clock.start(self._budget.time.amount(self._size), running=not self.prepares)
        self._send(frames.JOB, job.payload)

    def dismiss(self) -> None:
        """Ask an idle worker to end, by closing its standard input; kill it if it lingers."""
        self._dismissed = True
        self._leave()
        if self.prepares:
            self._signal_kill()  # it would hear of it late, and loses nothing
        self.transport.closeStdin()

    def kill(self, why: GatewayError) -> None:
        """End the process at once; the job it holds, if any, fails with `why`."""
        if self._verdict is None:
            self._verdict = why
        self._enter(WorkerState.ENDING)
        self._signal_kill()
        self._fail_job(self._verdict)

    def watch_memory(self) -> None:
        """Kill the process if its resident memory is beyond the limit of what it does."""
        if self.state is WorkerState.ENDING:
            return
        used = self.rss_mb()
        if used > self._budget.memory.amount(self._size):
            self.crashed = True
            seconds = None if self.job is None else self._clock.seconds
            self.kill(failures.too_large(self.pid, self._budget, self._size, used, seconds))

    def is_bloated(self) -> bool:
        """Whether it kept so much of its last job that the next would pay for it.

        Neither libxml2 nor Saxon gives back all it took. The bound is half of the room that the
        smallest job's limit leaves above what the process needed to start.
        """
        room = self._budget.memory.base - self._ready_mb
        return self.jobs > 0 and self.rss_mb() > self._ready_mb + max(0.0, room) / 2

    def retire(self) -> None:
        """End an idle worker at once, through no fault of its own: another takes its place."""
        kept = round(self.rss_mb())
        self._log.info("worker_replaced", rss_mb=kept, started_with_mb=round(self._ready_mb))
        self.retired = True
        self.kill(WorkerDied(f"Worker {self.pid} was replaced: it kept {kept} MB."))

    def rss_mb(self) -> float:
        """Resident memory; 0 where the system does not tell or the process is gone."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_bytes().split()[1]
        except (OSError, IndexError):
            return 0.0
        return int(pages) * _PAGE / 1e6

    def status(self) -> WorkerStatus:
        """A snapshot for people."""
        return WorkerStatus(
            pid=self.pid,
            state=self.state,
            seconds=round(self._reactor.seconds() - self._since, 1),
            jobs=self.jobs,
            rss_mb=round(self.rss_mb(), 1),
        )

    # ---- what the process does

    def connectionMade(self) -> None:
        """The process runs: it hears its configuration first."""
        self.pid = self.transport.pid
        self._log = self._log.bind(worker=self.pid)
        self._enter(WorkerState.BOOTING, self._boot_limit, self._overdue)
        self._send(frames.BOOT, self._boot)

    def outReceived(self, data: bytes) -> None:
        """Standard output: frames, and nothing but frames."""
        try:
            for kind, payload in () if self._condemned else self._decoder.feed(data):
                self._frame(kind, payload)
                if self._condemned:
                    return
        except frames.FrameError as error:
            self._nonsense(str(error))

    def _frame(self, kind: bytes, payload: bytes) -> None:
        # A process that spoke and ended may be heard of in any order: what it said counts.
        match self.state, kind:
            case WorkerState.BOOTING, frames.READY:
                self._was_ready = True
                self._ready_mb = self.rss_mb()
                self._rest()
            case ((WorkerState.BOOTING | WorkerState.ENDING), frames.BOOT_FAILED):
                self.boot_failure = payload.decode("utf-8", "replace")
                self._leave()
            case ((WorkerState.IDLE | WorkerState.BUSY), (frames.PREPARING | frames.WORKING)):
                self._told(kind, payload)
            case ((WorkerState.BUSY | WorkerState.ENDING), frames.DONE) if self.job is not None:
                self._answered(lambda job: job.succeed(payload))
            case ((WorkerState.BUSY | WorkerState.ENDING), frames.FAILED) if self.job is not None:
                words = payload.decode("utf-8", "replace")
                self._answered(lambda job: job.fail(GatewayError(words)))
            case WorkerState.ENDING, (frames.PREPARING | frames.WORKING):
                # All that counts now: whether it was its job that it died of.
                self._prepares_from_mb = 0.0 if kind == frames.PREPARING else None
            case WorkerState.ENDING, _:
                pass
            case _:
                self._nonsense(f"a frame of kind {kind!r} while {self.state}")

    def _told(self, kind: bytes, payload: bytes) -> None:
        """It prepares something, is at work again, or says how large its job really is."""
        if kind == frames.PREPARING:
            self._prepares_from_mb = self.rss_mb()
            self._clock.stand_still()
            self._enter(self.state)
        elif self._prepares_from_mb is not None:
            # What it prepared stays, and is nothing that a job left behind.
            self._ready_mb += max(0.0, self.rss_mb() - self._prepares_from_mb)
            self._prepares_from_mb = None
            self._enter(self.state)
            if self.state is WorkerState.BUSY:
                self._clock.go_on()
        if self.job is not None and payload[:_DIGITS].isdigit():
            size = self._budget.counted(int(payload[:_DIGITS]), alone=self.job.alone)
            self._size = max(size, self._size)
            self._clock.allow(self._budget.time.amount(self._size))

    def errReceived(self, data: bytes) -> None:
        """Standard error: whatever it says is the operator's to read."""
        self._stderr.feed(data)

    def childConnectionLost(self, childFD: int) -> None:
        """A pipe closed. Without both of them the process is of no use: it has to end."""
        if childFD in (0, 1):
            self._leave()

    def processExited(self, reason: Failure) -> None:
        """The process is reaped. A grandchild may hold its pipes: they are not waited for long."""
        self._enter(WorkerState.ENDING, LINGER_SECONDS, self.transport.loseConnection)

    def processEnded(self, reason: Failure) -> None:
        """Reaped, and all it wrote was read: account for it."""
        self._cancel_timer()
        self._clock.stand_still()
        self.state = WorkerState.ENDING
        self._stderr.end()
        if self._verdict is None:
            self.crashed = self.crashed or not self._dismissed
            self._verdict = failures.ended(self.pid, reason, self._stderr.last_words())
        if not self._was_ready and self.boot_failure is None:
            self.boot_failure = self._verdict.what
        self._fail_job(self._verdict)
        self._log.info("worker_ended", how=failures.how_it_ended(reason), jobs=self.jobs)
        self._on_end(self)

    # ---- inside

    def _enter(
        self, state: WorkerState, limit: float | None = None, late: Callable[[], None] | None = None
    ) -> None:
        self._cancel_timer()
        if state is not self.state:
            self.state = state
            self._since = self._reactor.seconds()
        if state is WorkerState.ENDING or state is WorkerState.IDLE:
            self._clock.stand_still()
        if self.prepares and limit is None and state is not WorkerState.ENDING:
            limit, late = self._boot_limit, self._overdue
        if limit is not None and late is not None:
            self._timer = self._reactor.callLater(limit, late)

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    @property
    def _condemned(self) -> bool:
        return self._verdict is not None

    def _leave(self) -> None:
        """It is about to end, or has to: give it a moment to do so by itself."""
        if self.state is not WorkerState.ENDING:
            self._enter(WorkerState.ENDING, LINGER_SECONDS, self._signal_kill)

    def _rest(self) -> None:
        self._size = 0
        self._enter(WorkerState.IDLE)
        self._on_ready(self)

    def _answered(self, tell: Callable[[Job], None]) -> None:
        job, self.job = self.job, None
        self.jobs += 1
        # Free first: whoever hears the answer may have the next job at hand.
        if self.state is WorkerState.BUSY:
            self._rest()
        if job is not None:
            tell(job)

    def _send(self, kind: bytes, payload: bytes) -> None:
        self.transport.writeSequence([frames.header(kind, len(payload)), payload])

    def _overdue(self) -> None:
        words = self._stderr.last_words()
        self.kill(failures.not_ready(self.pid, self._boot_limit, words, prepares=self.prepares))

    def _too_slow(self) -> None:
        words = self._stderr.last_words()
        self.kill(failures.too_slow(self.pid, self._budget, self._size, self.rss_mb(), words))

    def _nonsense(self, what: str) -> None:
        self.crashed = True
        self.kill(failures.nonsense(self.pid, what, self._stderr.last_words()))

    def _signal_kill(self) -> None:
        with contextlib.suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def _fail_job(self, error: GatewayError) -> None:
        job, self.job = self.job, None
        if job is not None:
            blameless = self.prepares and isinstance(error, WorkerDied | WorkerTimeout)
            job.fail(failures.unprepared(error) if blameless else error)

    def _say(self, line: str) -> None:
        self._log.warning("worker_said", line=line)
