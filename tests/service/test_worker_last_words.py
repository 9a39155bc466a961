"""What a worker said before it ended counts, though its end may be heard of first."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from twisted.internet.error import ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from gateway import frames
from gateway.errors import GatewayError, WorkerDied, WorkerUnprepared
from gateway.service.worker_budget import Allowance, Budget
from gateway.service.worker_jobs import Job
from gateway.service.worker_process import WorkerProcess

BUDGET = Budget(
    time=Allowance("judges.time_limit_seconds", 60), memory=Allowance("judges.memory_limit_mb", 500)
)
SEGMENTATION_FAULT = Failure(ProcessTerminated(None, 11, 11))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ((), WorkerDied),
        ((frames.PREPARING,), WorkerUnprepared),
        ((frames.PREPARING, frames.WORKING), WorkerDied),
    ],
)
@pytest.mark.parametrize("reaped_first", [False, True])
def test_a_job_is_blamed_by_what_the_worker_was_at(
    said: tuple[bytes, ...], error: type[GatewayError], reaped_first: bool
) -> None:
    """Died while compiling, it is no fault of the document; whichever of the two is heard first."""
    worker = WorkerProcess(
        Clock(),
        boot=b"",
        boot_limit=60,
        budget=BUDGET,
        on_ready=lambda _worker: None,
        on_end=lambda _worker: None,
        log=Mock(),
    )
    worker.transport = Mock(pid=1 << 30)
    worker.connectionMade()
    worker.outReceived(frames.header(frames.READY, 0))
    job = Job(b"", lambda _job: None)
    worker.give(job)
    told = b"".join(frames.header(kind, 0) for kind in said)
    steps: list[Any] = [
        lambda: worker.outReceived(told),
        lambda: worker.processExited(SEGMENTATION_FAULT),
    ]
    for step in reversed(steps) if reaped_first else steps:
        step()
    worker.processEnded(SEGMENTATION_FAULT)
    failures: list[Failure] = []
    job.done.addErrback(failures.append)
    (failure,) = failures
    assert type(failure.value) is error
