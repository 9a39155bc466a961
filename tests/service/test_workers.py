from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import blockon, ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.errors import (
    GatewayError,
    WorkerDied,
    WorkersBroken,
    WorkersStopped,
    WorkerTimeout,
    WorkerUnprepared,
)
from gateway.service import workers
from gateway.service.consequences import is_lethal
from gateway.service.worker_budget import Allowance, Budget
from gateway.service.worker_jobs import WorkerState
from gateway.service.workers import WorkerPool

pytestmark = pytest.mark.alone

COMMAND = [sys.executable, "-S", str(Path(__file__).with_name("fake_worker.py"))]
PATIENCE = 20.0


class Log:
    """Keeps every event, with what was bound to it."""

    def __init__(self, events: list[dict[str, Any]] | None = None, **bound: Any) -> None:
        self.events: list[dict[str, Any]] = [] if events is None else events
        self._bound = bound

    def bind(self, **more: Any) -> Log:
        """As structlog's."""
        return Log(self.events, **self._bound, **more)

    def debug(self, event: str, **fields: Any) -> None:
        """Keep it, at whatever level."""
        self.events.append({"event": event, **self._bound, **fields})

    info = warning = error = critical = debug

    def named(self, event: str) -> list[dict[str, Any]]:
        """Every event of that name, in order."""
        return [entry for entry in self.events if entry["event"] == event]


def job(do: str, **told: Any) -> bytes:
    return json.dumps({"do": do, **told}).encode()


def start(coroutine: Any) -> defer.Deferred[Any]:
    return defer.Deferred.fromCoroutine(coroutine)


async def until(condition: Callable[[], bool]) -> None:
    """Poll until the condition holds; fail after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        await task.deferLater(reactor, 0.01)


def alive(pid: int) -> bool:
    """Whether the process exists (a zombie does)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Pools:
    """Makes pools and ends them; every process they ever started must then be gone."""

    def __init__(self) -> None:
        self.log = Log()
        self._made: list[WorkerPool] = []

    def __call__(self, boot: dict[str, Any] | None = None, **options: Any) -> WorkerPool:
        """A pool of fake workers."""
        pool = WorkerPool(
            reactor,
            **{
                "command": COMMAND,
                "boot": json.dumps(boot or {}).encode(),
                "size": 1,
                "time_limit": PATIENCE,
                "boot_limit": PATIENCE,
                "memory_limit_mb": 500,
                "log": self.log,
            }
            | options,
        )
        self._made.append(pool)
        return pool

    async def end(self) -> None:
        """Stop every pool; no process may be left, not even as a zombie."""
        for pool in self._made:
            await pool.stop(0)
        left = [e["worker"] for e in self.log.named("worker_started") if alive(e["worker"])]
        assert left == []


@pytest.fixture
def pools() -> Iterator[Pools]:
    made = Pools()
    yield made
    blockon(start(made.end()))


@ensureDeferred
async def test_jobs_are_answered_by_all_workers_in_order(pools: Pools) -> None:
    """N workers start together; each job gets its own answer."""
    pool = pools(size=3)
    await pool.start()
    assert [w.state for w in pool.status().workers] == [WorkerState.IDLE] * 3
    answers = await defer.gatherResults(
        [start(pool.run(b"job %d" % number)) for number in range(50)]
    )
    assert answers == [b"job %d" % number for number in range(50)]
    status = pool.status()
    assert sum(worker.jobs for worker in status.workers) == 50
    assert all(worker.rss_mb > 1 for worker in status.workers)
    assert (status.queued, status.deaths, status.broken) == (0, 0, None)


@ensureDeferred
async def test_queue_is_first_come_first_served(pools: Pools, tmp_path: Path) -> None:
    """With one worker jobs are answered in the order they came, one at a time."""
    pool = pools()
    await pool.start()
    done: list[bytes] = []
    gate = tmp_path / "gate"
    first = start(pool.run(job("wait-for", file=str(gate), started=str(tmp_path / "s"))))
    rest = [start(pool.run(b"%d" % n)).addCallback(done.append) for n in range(5)]
    await until((tmp_path / "s").exists)
    assert (pool.status().queued, done) == (5, [])
    gate.touch()
    assert await first == b"waited"
    await defer.gatherResults(rest)
    assert done == [b"0", b"1", b"2", b"3", b"4"]


@ensureDeferred
async def test_twenty_megabytes_both_ways(pools: Pools) -> None:
    """A large frame passes both pipes whole, and the small one behind it too."""
    pool = pools()
    await pool.start()
    large = b"\0" + os.urandom(1 << 20) * 20  # one that begins like JSON would be an order
    answers = await defer.gatherResults([start(pool.run(large)), start(pool.run(b"small"))])
    assert answers[0] == large
    assert answers[1] == b"small"


@pytest.mark.parametrize(
    ("poison", "error", "words"),
    [
        (job("crash"), WorkerDied, "SIGSEGV"),
        (job("exit", code=3), WorkerDied, "exit code 3"),
        (job("garbage"), WorkerDied, "broke the protocol"),
        (job("close-stdout"), WorkerDied, "SIGKILL"),
        (job("hang"), WorkerTimeout, "took more than 1 s .* its last words: .*about to hang"),
        (job("memory", mb=300), WorkerDied, "more than the limit of 200 MB"),
    ],
    ids=lambda value: json.loads(value)["do"] if isinstance(value, bytes) else "",
)
@ensureDeferred
async def test_only_the_job_that_did_it_is_lost(
    pools: Pools,
    poison: bytes,
    error: type[GatewayError],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that dies, hangs, grows or talks nonsense fails its own job and no other.

    The others are answered by the worker that replaces it.
    """
    monkeypatch.setattr(workers, "WATCH_SECONDS", 0.05)
    pool = pools(time_limit=1.0 if error is WorkerTimeout else PATIENCE, memory_limit_mb=200)
    await pool.start()
    before = pool.status().workers[0].pid
    lost = start(pool.run(poison))
    innocent = [start(pool.run(b"%d" % n)) for n in range(3)]
    with pytest.raises(error, match=words) as caught:
        await lost
    assert type(caught.value) is error
    assert caught.value.remedy
    assert await defer.gatherResults(innocent) == [b"0", b"1", b"2"]
    assert pool.status().workers[0].pid != before
    assert pool.status().deaths == 1
    assert not alive(before)


def budget(seconds: float, mb: float, *, per_mb: float = 0.0, large_mb: float = 1000) -> Budget:
    """So much, and `per_mb` MB of memory and tenths of a second more for each MB."""
    return Budget(
        time=Allowance("judges.time_limit_seconds", seconds, per_mb / 10, PATIENCE),
        memory=Allowance("judges.memory_limit_mb", mb, per_mb, large_mb),
        large_bytes=2_000_000,
    )


@pytest.mark.parametrize("what", ["time", "memory"])
@ensureDeferred
async def test_what_a_job_may_take_grows_with_its_size(
    pools: Pools, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too much for a small one is not for a large one, which has its bound as well.

    The error says how much was allowed, why, how much was taken, and which settings to raise.
    """
    monkeypatch.setattr(workers, "WATCH_SECONDS", 0.05)
    pool = pools(budget=budget(0.5, 100, per_mb=10))
    await pool.start()
    within = {"time": job("sleep", seconds=1.2), "memory": job("keep", mb=150)}
    beyond = {"time": job("hang"), "memory": job("memory", mb=300)}
    error = {"time": WorkerTimeout, "memory": WorkerDied}[what]
    said = {"time": [r" 0\.5 s ", r" 2\.5 s "], "memory": [" 100 MB ", " 120 MB "]}[what]
    await pool.run(within[what], size=20_000_000, alone=True)
    for size, allowed in ((0, said[0]), (2_000_000, said[1])):
        with pytest.raises(error, match=allowed) as caught:
            await pool.run(beyond[what], size=size)
        assert f"{size / 1e6:.1f} MB of document" in caught.value.what
        assert " MB of memory" in caught.value.what
        named = {"time": "time_limit_seconds", "memory": "memory_limit_mb"}[what]
        assert f"raise judges.{named} or judges.{named}_per_mb." in caught.value.remedy


@ensureDeferred
async def test_what_a_job_unpacks_to_counts_up_to_a_large_one_unless_it_runs_alone(
    pools: Pools,
) -> None:
    """The worker tells; a small file may be a large document, but not beside another one."""
    pool = pools(budget=budget(0.3, 500, per_mb=4))
    await pool.start()
    told = job("opened", size=5_000_000, seconds=1.6)
    assert await pool.run(told, size=1000, alone=True) == b"opened"
    with pytest.raises(WorkerTimeout, match=r"more than 1\.1 s \(0\.3 \+ 0\.4 × 2\.0 MB"):
        await pool.run(told, size=1000)


@pytest.mark.parametrize("when", ["in the job", "before the job", "both"])
@ensureDeferred
async def test_what_is_prepared_is_no_time_of_the_job(pools: Pools, when: str) -> None:
    """Neither what the worker was at when the job came, nor what the job made it do."""
    pool = pools(
        {"do": "" if when == "in the job" else "prepare", "seconds": "0.8"}, budget=budget(0.5, 500)
    )
    await pool.start()
    seconds = 0 if when == "before the job" else 0.8
    assert await pool.run(job("prepare", seconds=seconds)) == b"prepared"
    with pytest.raises(WorkerTimeout, match=r"took more than 0\.5 s"):
        await pool.run(job("prepare", seconds=seconds, then=PATIENCE))


@ensureDeferred
async def test_preparing_has_its_own_limit(pools: Pools) -> None:
    """Whoever compiles for ever is ended, with a job or without. The job is not blamed for it."""
    pool = pools(boot_limit=1.5, budget=budget(PATIENCE, 500))
    await pool.start()
    with pytest.raises(WorkerUnprepared, match=r"not done with compiling within 1\.5 s") as caught:
        await pool.run(job("prepare", seconds=PATIENCE))
    assert "boot_limit_seconds" in caught.value.remedy
    assert not is_lethal(caught.value)
    with pytest.raises(WorkerUnprepared, match=r"SIGSEGV.* It was compiling rule packs\."):
        await pool.run(job("prepare", seconds=0, crash=True))
    idle = pools({"do": "prepare", "seconds": str(PATIENCE)}, boot_limit=1.5)
    await idle.start()
    before = idle.status().workers[0].pid
    await until(lambda: idle.status().deaths > 0)
    assert not alive(before)


@ensureDeferred
async def test_what_was_prepared_is_not_held_against_the_worker(pools: Pools) -> None:
    """Compiled rules stay; they are nothing that a job left behind."""
    pool = pools(budget=budget(PATIENCE, 200))
    await pool.start()
    assert await pool.run(job("prepare", seconds=0, mb=120)) == b"prepared"
    pid = await pool.run(job("pid"))
    assert await pool.run(job("pid")) == pid
    assert pools.log.named("worker_replaced") == []


@ensureDeferred
async def test_an_idle_worker_is_asked_before_one_that_prepares(pools: Pools) -> None:
    """A job need not wait while another worker has nothing to do."""
    pool = pools(size=2)
    await pool.start()
    first = await pool.run(job("pid"))
    assert await pool.run(job("prepare-later", seconds=3)) == b"later"
    await until(lambda: any(worker.prepares for worker in pool._workers))
    started = time.monotonic()
    assert await pool.run(job("pid")) != first
    assert time.monotonic() - started < 2


@ensureDeferred
async def test_large_jobs_run_one_at_a_time(pools: Pools, tmp_path: Path) -> None:
    """A second one waits although a worker is free; other jobs pass it."""
    pool = pools(size=2)
    await pool.start()
    gates = [tmp_path / "gate-0", tmp_path / "gate-1"]
    starts = [tmp_path / "start-0", tmp_path / "start-1"]
    large = [
        start(pool.run(job("wait-for", file=str(gate), started=str(begun)), alone=True))
        for gate, begun in zip(gates, starts, strict=True)
    ]
    await until(starts[0].exists)
    assert await pool.run(b"small") == b"small"
    assert (pool.status().queued, starts[1].exists()) == (1, False)
    gates[0].touch()
    assert await large[0] == b"waited"
    await until(starts[1].exists)
    gates[1].touch()
    assert await large[1] == b"waited"


@pytest.mark.parametrize("end", ["crash", "cancel", "keep"])
@ensureDeferred
async def test_lane_is_free_again_however_its_job_ended(
    pools: Pools, end: str, tmp_path: Path
) -> None:
    """After a crash, a cancelled job and a worker that is replaced, the next large one runs.

    With two workers, so that one is idle and nothing else wakes the queue.
    """
    pool = pools(size=2, budget=budget(PATIENCE, 200, per_mb=10))
    await pool.start()
    told = {
        "crash": job("crash"),
        "cancel": job("wait-for", file=str(tmp_path / "never"), started=str(tmp_path / "s")),
        "keep": job("keep", mb=150),
    }
    first = start(pool.run(told[end], size=30_000_000, alone=True))
    second = start(pool.run(b"next", alone=True))
    if end == "cancel":
        await until((tmp_path / "s").exists)
        first.cancel()
    assert await second == b"next"
    with contextlib.suppress(WorkerDied, defer.CancelledError):
        await first


@ensureDeferred
async def test_partners_take_turns(pools: Pools, tmp_path: Path) -> None:
    """A partner's one job passes another's backlog."""
    pool = pools()
    await pool.start()
    gate, begun = tmp_path / "gate", tmp_path / "begun"
    blocker = start(pool.run(job("wait-for", file=str(gate), started=str(begun)), partner="a"))
    await until(begun.exists)
    done: list[bytes] = []
    rest = [start(pool.run(b"a%d" % n, partner="a")).addCallback(done.append) for n in range(4)]
    rest.append(start(pool.run(b"b", partner="b")).addCallback(done.append))
    gate.touch()
    await defer.gatherResults([blocker, *rest])
    assert done == [b"a0", b"b", b"a1", b"a2", b"a3"]


@ensureDeferred
async def test_worker_that_keeps_too_much_is_replaced(pools: Pools) -> None:
    """What a job left behind is not held against the next, nor is the worker called crashed."""
    pool = pools(budget=budget(PATIENCE, 200, per_mb=10))
    await pool.start()
    first = await pool.run(job("keep", mb=10))
    assert await pool.run(job("pid")) == first
    for _ in range(3):
        heavy = await pool.run(job("keep", mb=150), size=30_000_000, alone=True)
        assert await pool.run(job("keep", mb=60)) != heavy
    assert pool.status().deaths == 0
    assert len(pools.log.named("worker_replaced")) == 3


@ensureDeferred
async def test_failed_revival_spares_a_job_under_way(
    pools: Pools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """start() of a broken pool that fails again does not end the workers that still work."""
    monkeypatch.setattr(workers, "PAUSE_MIN", 0.01)
    token, gate, begun = tmp_path / "token", tmp_path / "gate", tmp_path / "begun"
    pool = pools({"do": "fail-while", "token": str(token)}, size=2)
    await pool.start()
    running = start(pool.run(job("wait-for", file=str(gate), started=str(begun))))
    await until(begun.exists)
    token.touch()
    with pytest.raises(WorkerDied):
        await pool.run(job("crash"))
    await until(lambda: pool.status().broken is not None)
    with pytest.raises(WorkersBroken, match="not while this is there"):
        await pool.start()
    gate.touch()
    assert await running == b"waited"


@ensureDeferred
async def test_other_workers_do_not_notice_a_crash(pools: Pools, tmp_path: Path) -> None:
    """A crash next door leaves a running job alone."""
    pool = pools(size=2)
    await pool.start()
    gate = tmp_path / "gate"
    running = start(pool.run(job("wait-for", file=str(gate), started=str(tmp_path / "s"))))
    await until((tmp_path / "s").exists)
    with pytest.raises(WorkerDied):
        await pool.run(job("crash"))
    gate.touch()
    assert await running == b"waited"


@ensureDeferred
async def test_an_answer_counts_even_when_the_worker_ends_behind_it(pools: Pools) -> None:
    """An answer written just before the end is not lost, however the two are heard of."""
    pool = pools()
    await pool.start()
    for count in range(1, 4):
        assert await pool.run(job("answer-and-exit")) == b"last words"
        await until(lambda count=count: pool.status().deaths == count)
    assert await pool.run(b"next") == b"next"


@ensureDeferred
async def test_worker_that_answers_twice_is_replaced(pools: Pools) -> None:
    """A second answer could be taken for the next job's: the worker is not trusted any more."""
    pool = pools()
    await pool.start()
    assert await pool.run(job("twice")) == b"once"
    await until(lambda: pool.status().deaths == 1)
    assert await pool.run(b"next") == b"next"


@ensureDeferred
async def test_failure_the_worker_reports_is_its_own_words(pools: Pools) -> None:
    """A failure frame fails the job with those words, and the worker lives on."""
    pool = pools()
    await pool.start()
    pid = pool.status().workers[0].pid
    with pytest.raises(GatewayError, match="the pack été altered"):
        await pool.run(job("fail", words="the pack été altered"))
    assert await pool.run(job("pid")) == str(pid).encode()


@ensureDeferred
async def test_crashes_in_a_row_slow_the_respawning_down(
    pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first crash is followed by a respawn at once, the next ones by growing pauses.

    Never by long ones, however many there are: good documents wait too. An answered job makes up
    for them.
    """
    pauses: list[float] = []
    original = WorkerPool._respawn

    def respawn(self: WorkerPool, pause: float) -> None:
        pauses.append(pause)
        original(self, 0)

    monkeypatch.setattr(WorkerPool, "_respawn", respawn)
    pool = pools()
    await pool.start()
    for _ in range(8):
        with pytest.raises(WorkerDied):
            await pool.run(job("crash"))
    await pool.run(b"good")
    with pytest.raises(WorkerDied):
        await pool.run(job("crash"))
    await until(lambda: pool.status().deaths == 9)
    assert pauses[0] == 0
    assert 0 < pauses[1] < pauses[2] < pauses[7] == workers.CRASH_PAUSE_MAX
    assert pauses[8] == 0


@pytest.mark.parametrize(
    ("boot", "words"),
    [
        ({"do": "fail", "words": "rule pack en16931-ubl été altered"}, "été altered"),
        ({"do": "die"}, "exit code 7; its last words: I cannot live like this"),
        ({"do": "hang"}, "was not ready within 0.5 s"),
    ],
    ids=["told", "died", "hung"],
)
@ensureDeferred
async def test_boot_failures_end_the_respawning(
    pools: Pools, boot: dict[str, str], words: str
) -> None:
    """After three boot failures in a row start() fails in the worker's own words.

    So does every job, those that waited and those that come later.
    """
    pool = pools(boot, boot_limit=0.5 if boot["do"] == "hang" else PATIENCE)
    waiting = start(pool.run(b"early bird"))
    with pytest.raises(WorkersBroken, match=words):
        await pool.start()
    with pytest.raises(WorkersBroken, match=words):
        await waiting
    with pytest.raises(WorkersBroken, match=words):
        await pool.run(b"late")
    assert len(pools.log.named("worker_boot_failed")) == workers.BOOT_FAILURES
    assert words.split("; ", maxsplit=1)[0] in (pool.status().broken or "")
    assert pool.status().workers == ()


@ensureDeferred
async def test_one_boot_failure_is_forgiven(pools: Pools, tmp_path: Path) -> None:
    """A worker that fails to start once is started again, and start() succeeds."""
    token = tmp_path / "token"
    token.touch()
    pool = pools({"do": "fail-once", "token": str(token)}, size=2)
    await pool.start()
    assert len(pools.log.named("worker_boot_failed")) == 1
    assert await pool.run(b"x") == b"x"


@ensureDeferred
async def test_command_that_cannot_be_run_is_said(pools: Pools, tmp_path: Path) -> None:
    """No such program: WorkersBroken, not a hang."""
    pool = pools(command=[str(tmp_path / "absent")])
    with pytest.raises(WorkersBroken):
        await pool.start()


@ensureDeferred
async def test_cancelled_job_in_the_queue_is_forgotten(pools: Pools, tmp_path: Path) -> None:
    """Cancelling a queued job removes it: nobody works on it, nobody else is disturbed."""
    pool = pools()
    await pool.start()
    gate = tmp_path / "gate"
    running = start(pool.run(job("wait-for", file=str(gate), started=str(tmp_path / "s"))))
    queued = start(pool.run(job("crash")))
    behind = start(pool.run(b"behind"))
    queued.cancel()
    with pytest.raises(defer.CancelledError):
        await queued
    gate.touch()
    assert await running == b"waited"
    assert await behind == b"behind"
    assert pool.status().deaths == 0


@ensureDeferred
async def test_cancelled_job_that_runs_costs_its_worker(pools: Pools, tmp_path: Path) -> None:
    """Cancelling a running job kills its worker, and the next job finds a new one."""
    pool = pools()
    await pool.start()
    pid = pool.status().workers[0].pid
    running = start(
        pool.run(job("wait-for", file=str(tmp_path / "never"), started=str(tmp_path / "s")))
    )
    await until((tmp_path / "s").exists)
    running.cancel()
    with pytest.raises(defer.CancelledError):
        await running
    assert await pool.run(b"next") == b"next"
    assert not alive(pid)


@ensureDeferred
async def test_stop_lets_running_jobs_finish(pools: Pools, tmp_path: Path) -> None:
    """stop() takes nothing new, fails the queue, waits for what runs, and leaves no process."""
    pool = pools()
    await pool.start()
    pid = pool.status().workers[0].pid
    gate = tmp_path / "gate"
    running = start(pool.run(job("wait-for", file=str(gate), started=str(tmp_path / "s"))))
    queued = start(pool.run(b"queued"))
    await until((tmp_path / "s").exists)
    stopping = start(pool.stop(PATIENCE))
    with pytest.raises(WorkersStopped):
        await queued
    with pytest.raises(WorkersStopped):
        await pool.run(b"new")
    assert not stopping.called
    gate.touch()
    assert await running == b"waited"
    await stopping
    assert not alive(pid)
    assert pools.log.named("worker_ended")[-1]["how"] == "exit code 0"


@ensureDeferred
async def test_stop_kills_what_does_not_finish(pools: Pools, tmp_path: Path) -> None:
    """A job still running when the grace is over was stopped: nothing is said against it."""
    pool = pools(size=2)
    await pool.start()
    pids = [worker.pid for worker in pool.status().workers]
    running = start(
        pool.run(job("wait-for", file=str(tmp_path / "never"), started=str(tmp_path / "s")))
    )
    await until((tmp_path / "s").exists)
    await defer.gatherResults([start(pool.stop(0.05)), start(pool.stop(0.05))])
    with pytest.raises(WorkersStopped, match="gateway stops"):
        await running
    assert not any(alive(pid) for pid in pids)
    await pool.stop(0)


@ensureDeferred
async def test_stop_while_starting(pools: Pools) -> None:
    """Stopping a pool whose workers boot ends both calls and every process."""
    pool = pools({"do": "hang"}, size=2)
    starting = start(pool.start())
    await until(lambda: len(pool.status().workers) == 2)
    await pool.stop(0)
    with pytest.raises(WorkersStopped):
        await starting
    with pytest.raises(WorkersStopped):
        await pool.start()


@ensureDeferred
async def test_standard_error_goes_to_the_log_line_by_line(pools: Pools) -> None:
    """Every line a worker writes on standard error is logged with its pid.

    A line without end is logged in pieces.
    """
    pool = pools()
    await pool.start()
    await pool.run(job("say", text="one\ntwo\n\n" + "x" * 20000 + "\nthree"))
    await pool.stop(PATIENCE)
    said = [entry["line"] for entry in pools.log.named("worker_said")]
    assert said[0].startswith("booted")
    assert said[1:3] == ["one", "two"]
    assert "".join(said[3:-1]) == "x" * 20000
    assert said[-1] == "three"
    pid = pools.log.named("worker_ready")[0]["worker"]
    assert {entry["worker"] for entry in pools.log.named("worker_said")} == {pid}


PARENT = """
    import json, sys
    from twisted.internet import defer, reactor
    from gateway.service.workers import WorkerPool

    class Log:
        def bind(self, **_): return self
        def debug(self, *_, **__): pass
        info = warning = error = critical = debug

    async def main(busy):
        pool = WorkerPool(reactor, command=json.loads(sys.argv[1]), boot=b"{}", size=2,
                          time_limit=60, boot_limit=60, memory_limit_mb=500, log=Log())
        await pool.start()
        for job in busy:
            defer.Deferred.fromCoroutine(pool.run(job.encode()))
        print(*[w.pid for w in pool.status().workers], flush=True)

    reactor.callWhenRunning(lambda: defer.Deferred.fromCoroutine(main(sys.argv[2:])))
    reactor.run()
"""


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy in C"])
@ensureDeferred
async def test_workers_end_when_the_daemon_is_killed(busy: bool, tmp_path: Path) -> None:
    """No worker outlives a parent killed by SIGKILL, not even one that never looks at its pipe."""
    started = [tmp_path / name for name in ("one", "two")] if busy else []
    jobs = [job("spin", started=str(path)).decode() for path in started]
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), json.dumps(COMMAND), *jobs],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert parent.stdout is not None
    pids: list[int] = []
    try:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        await until(lambda: all(path.exists() for path in started))
        assert all(alive(pid) for pid in pids)
        parent.kill()
        parent.wait()
        # Orphans are reaped by whoever adopts them; where nobody does, a zombie is as good as gone.
        await until(lambda: not any(_running(pid) for pid in pids))
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        for pid in filter(_running, pids):
            os.kill(pid, signal.SIGKILL)


def _running(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state != "Z"
    return False
