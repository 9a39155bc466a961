"""One worker process as the pool sees it: a pipe that takes one job at a time.

    booting ─▶ idle ⇄ busy
       └────────┴──────┴─▶ ending ─▶ (gone)

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
import signal
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from gateway import frames
from gateway.errors import GatewayError, WorkerDied, WorkerTimeout
from gateway.service.worker_jobs import Job, WorkerState, WorkerStatus

LINGER_SECONDS: Final = 2.0
"""How long a process may take to end after it said goodbye, or after its output closed."""

LINE_BYTES: Final = 8192
"""A longer line of standard error is logged in pieces."""

LAST_LINES: Final = 5
"""So many lines of standard error are repeated in the error when a process dies."""

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_KILL_REMEDY: Final = "The document is tried again; if it does this to every worker, look at it."


class WorkerProcess(ProcessProtocol):
    """Supervises one child process.

    `on_ready(worker)` is called whenever it can take a job, `on_end(worker)` once, when the
    process is gone and reaped; `boot_failure` then says why it never became ready, if so.
    """

    transport: Any

    def __init__(
        self,
        reactor: Any,
        *,
        boot: bytes,
        boot_limit: float,
        time_limit: float,
        on_ready: Callable[[WorkerProcess], None],
        on_end: Callable[[WorkerProcess], None],
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._boot = boot
        self._boot_limit = boot_limit
        self._time_limit = time_limit
        self._on_ready = on_ready
        self._on_end = on_end
        self._log = log
        self._decoder = frames.FrameDecoder()
        self._timer: Any = None
        self._since: float = reactor.seconds()
        self._was_ready = False
        self._dismissed = False
        self._verdict: GatewayError | None = None
        self._stderr = b""
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self.state = WorkerState.BOOTING
        self.pid: int = 0
        self.job: Job | None = None
        self.jobs = 0
        self.boot_failure: str | None = None
        self.crashed = False

    # ---- what the pool asks

    def spawn(self, command: Sequence[str]) -> None:
        """Start the process and send its boot frame. Raises OSError if it cannot be started."""
        self._reactor.spawnProcess(self, command[0], list(command), env=None)

    def give(self, job: Job) -> None:
        """Run `job`; the worker must be idle."""
        if self.state is not WorkerState.IDLE:
            raise RuntimeError(f"worker {self.pid} is {self.state}, not idle")
        self.job = job
        self._last_lines.clear()
        self._enter(WorkerState.BUSY, self._time_limit, self._overdue)
        self._send(frames.JOB, job.payload)

    def dismiss(self) -> None:
        """Ask an idle worker to end, by closing its standard input; kill it if it lingers."""
        self._dismissed = True
        self._leave()
        self.transport.closeStdin()

    def kill(self, why: GatewayError) -> None:
        """End the process at once; the job it holds, if any, fails with `why`."""
        if self._verdict is None:
            self._verdict = why
        self._enter(WorkerState.ENDING)
        self._signal_kill()
        self._fail_job(self._verdict)

    def watch_memory(self, limit_mb: int) -> None:
        """Kill the process if its resident memory is beyond `limit_mb`."""
        used = self.rss_mb()
        if used > limit_mb and self.state is not WorkerState.ENDING:
            self.crashed = True
            self.kill(
                WorkerDied(
                    f"Worker {self.pid} used {used:.0f} MB of memory, more than the limit of "
                    f"{limit_mb} MB, and was killed.",
                    remedy="If the document is legitimate, raise judges.memory_limit_mb.",
                )
            )

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
                self._rest()
            case ((WorkerState.BOOTING | WorkerState.ENDING), frames.BOOT_FAILED):
                self.boot_failure = payload.decode("utf-8", "replace")
                self._leave()
            case ((WorkerState.BUSY | WorkerState.ENDING), frames.DONE) if self.job is not None:
                self._answered(lambda job: job.succeed(payload))
            case ((WorkerState.BUSY | WorkerState.ENDING), frames.FAILED) if self.job is not None:
                words = payload.decode("utf-8", "replace")
                self._answered(lambda job: job.fail(GatewayError(words)))
            case WorkerState.ENDING, _:
                pass
            case _:
                self._nonsense(f"a frame of kind {kind!r} while {self.state}")

    def errReceived(self, data: bytes) -> None:
        """Standard error: whatever it says is the operator's to read."""
        *lines, self._stderr = (self._stderr + data).split(b"\n")
        for line in lines:
            self._say(line)
        while len(self._stderr) >= LINE_BYTES:
            self._say(self._stderr[:LINE_BYTES])
            self._stderr = self._stderr[LINE_BYTES:]

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
        self.state = WorkerState.ENDING
        if self._stderr:
            self._say(self._stderr)
            self._stderr = b""
        if self._verdict is None:
            self.crashed = self.crashed or not self._dismissed
            self._verdict = WorkerDied(
                f"Worker {self.pid} ended by itself: {self._obituary(reason)}.",
                remedy=_KILL_REMEDY,
            )
        if not self._was_ready and self.boot_failure is None:
            self.boot_failure = self._verdict.what
        self._fail_job(self._verdict)
        self._log.info("worker_ended", how=_how(reason), jobs=self.jobs)
        self._on_end(self)

    # ---- inside

    def _enter(
        self, state: WorkerState, limit: float | None = None, late: Callable[[], None] | None = None
    ) -> None:
        self._cancel_timer()
        if state is not self.state:
            self.state = state
            self._since = self._reactor.seconds()
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
        if self.state is WorkerState.BOOTING:
            what = f"Worker {self.pid} was not ready within {self._boot_limit:g} s and was killed"
            remedy = "Look for what keeps it busy, or raise judges.boot_limit_seconds."
        else:
            what = f"Worker {self.pid} took more than {self._time_limit:g} s and was killed"
            remedy = "If the document is legitimate, raise judges.time_limit_seconds."
        self.kill(WorkerTimeout(f"{what}{self._last_words()}.", remedy=remedy))

    def _nonsense(self, what: str) -> None:
        self.crashed = True
        self.kill(
            WorkerDied(
                f"Worker {self.pid} broke the protocol and was killed: {what}{self._last_words()}.",
                remedy=_KILL_REMEDY,
            )
        )

    def _signal_kill(self) -> None:
        with contextlib.suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def _fail_job(self, error: GatewayError) -> None:
        job, self.job = self.job, None
        if job is not None:
            job.fail(error)

    def _say(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            self._last_lines.append(text)
            self._log.warning("worker_said", line=text)

    def _obituary(self, reason: Failure) -> str:
        how = _how(reason)
        if getattr(reason.value, "signal", None) == signal.SIGKILL:
            how += ", perhaps by the system, out of memory"
        return how + self._last_words()

    def _last_words(self) -> str:
        return f"; its last words: {' / '.join(self._last_lines)}" if self._last_lines else ""


def _how(reason: Failure) -> str:
    """How a process ended, in words."""
    value = reason.value
    if isinstance(value, ProcessDone):
        return "exit code 0"
    if isinstance(value, ProcessTerminated):
        if value.signal is not None:
            return f"killed by {signal.Signals(value.signal).name}"
        return f"exit code {value.exitCode}"
    return str(value)
