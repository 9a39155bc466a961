"""Workers that are replaced: who does which job, and what stays when new ones do not start.

With real worker processes it is tested in tests/integration/test_reload_line.py.
"""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import defer

from gateway.errors import WorkersBroken
from gateway.service.replaceable_workers import ReplaceableWorkers
from gateway.service.worker_jobs import PoolStatus


class FakePool:
    """Does each job when it is told to; starts unless its boot frame says `broken`."""

    def __init__(self, boot: bytes, events: list[str]) -> None:
        self.name = boot.decode()
        self._events = events
        self.jobs: list[defer.Deferred[bytes]] = []

    async def start(self) -> None:
        """As `WorkerPool`."""
        self._events.append(f"{self.name} starts")
        if self.name == "broken":
            raise WorkersBroken("no worker starts")

    async def run(self, payload: bytes, *, partner: str, size: int, alone: bool) -> bytes:
        """As `WorkerPool`."""
        job: defer.Deferred[bytes] = defer.Deferred()
        self.jobs.append(job)
        self._events.append(f"{self.name} runs {payload.decode()} of {partner}, alone: {alone}")
        assert size == 7
        return await job

    async def stop(self, grace: float) -> None:
        """As `WorkerPool`."""
        self._events.append(f"{self.name} stops within {grace:g}")

    def status(self) -> PoolStatus:
        """As `WorkerPool`."""
        return PoolStatus(size=1, queued=0, workers=(), deaths=0, broken=None)


class Crew:
    """The workers, and every pool they had."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.pools: dict[str, FakePool] = {}
        self.workers = ReplaceableWorkers(self._make, b"first", log=structlog.get_logger())

    def _make(self, boot: bytes) -> Any:
        self.pools[boot.decode()] = FakePool(boot, self.events)
        return self.pools[boot.decode()]

    def run(self, payload: bytes) -> defer.Deferred[bytes]:
        """Begin a job."""
        going = self.workers.run(payload, partner="acme", size=7, alone=True)
        return defer.Deferred.fromCoroutine(going)


@ensureDeferred
async def test_jobs_end_where_they_began() -> None:
    """The old workers finish theirs and end; new ones get what comes once they are in place."""
    crew = Crew()
    await crew.workers.start()
    one = crew.run(b"one")
    put_in_place = await crew.workers.prepare(b"second")
    two = crew.run(b"two")
    put_in_place()
    three = crew.run(b"three")
    assert crew.events == [
        "first starts",
        "first runs one of acme, alone: True",
        "second starts",
        "first runs two of acme, alone: True",
        "second runs three of acme, alone: True",
    ]
    del crew.events[:]
    first, second = crew.pools["first"], crew.pools["second"]
    first.jobs[1].callback(b"2")
    assert (await two, crew.events) == (b"2", [])
    first.jobs[0].errback(WorkersBroken("died"))
    with pytest.raises(WorkersBroken):
        await one
    assert crew.events == ["first stops within 0"]
    second.jobs[0].callback(b"3")
    assert await three == b"3"
    assert crew.events == ["first stops within 0"]


@ensureDeferred
async def test_idle_workers_are_replaced_at_once() -> None:
    """They have nothing to finish; the same boot frame again replaces nobody."""
    crew = Crew()
    (await crew.workers.prepare(b"second"))()
    assert crew.events == ["second starts", "first stops within 0"]
    (await crew.workers.prepare(b"second"))()
    assert len(crew.events) == 2


@ensureDeferred
async def test_new_workers_that_do_not_start_change_nothing() -> None:
    """They are ended, and the old ones do the next job."""
    crew = Crew()
    with pytest.raises(WorkersBroken):
        await crew.workers.prepare(b"broken")
    crew.run(b"one")
    assert crew.events == [
        "broken starts",
        "broken stops within 0",
        "first runs one of acme, alone: True",
    ]


@ensureDeferred
async def test_the_stop_ends_all_of_them() -> None:
    """Those too that have something to finish, within the same time."""
    crew = Crew()
    crew.run(b"one")
    (await crew.workers.prepare(b"second"))()
    await crew.workers.stop(3.0)
    assert sorted(crew.events[-2:]) == ["first stops within 3", "second stops within 3"]
