"""Replays that run by themselves: to the end, until stopped, or broken off and gone on with."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.errors import WorkersStopped
from gateway.service import replays as replays_module
from gateway.service.control import CommandRefused
from gateway.service.replay_runs import MOST, ReplayRuns
from gateway.service.replays import Replays
from tests.service.house import ACCEPTED, REJECTED, FakeJudges, House
from tests.service.test_replays import desk, line


def runs_of(house: House, replays: Replays, open_: list[bool] | None = None) -> ReplayRuns:
    """Who answers the commands, as after a start of the gateway."""
    opened = [True] if open_ is None else open_
    log = structlog.wrap_logger(house.said, processors=[])
    return ReplayRuns(replays, open_=lambda: opened[0], log=log)


async def ended(runs: ReplayRuns, replay: str) -> dict[str, Any]:
    """How the run ended; waits for it, bounded."""
    for _ in range(500):
        run = (await runs.tell({"replay": replay}))["run"]
        if run["ending"] != "running":
            return dict(run)
        await task.deferLater(reactor, 0.02)
    raise AssertionError("still running")


@ensureDeferred
async def test_tried_and_committed_to_the_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slice after slice, with nobody asking; committed once, and refused from then on."""
    monkeypatch.setattr(replays_module, "AT_ONCE", 2)
    intake, ids = await line(house, *[REJECTED] * 5)
    replays = desk(house, intake, FakeJudges(ACCEPTED))
    runs = runs_of(house, replays)
    replay = (await replays.make({"interchanges": ids}))["replay"]
    assert (await runs.tell({"replay": replay}))["run"] is None
    await runs.begin({"replay": replay, "step": "try", "by": "ada"})
    run = await ended(runs, replay)
    assert (run["ending"], run["run"]["by"]) == ("done", "ada")
    shown = await replays.show({"replay": replay})
    assert (shown["tried"], shown["changed"], shown["committed"]) == (5, 5, 0)
    await runs.begin({"replay": replay, "step": "commit"})
    assert (await ended(runs, replay))["ending"] == "done"
    assert (await replays.show({"replay": replay}))["committed"] == 5
    for id_ in ids:
        assert (await house.reaches(id_, "settled")).report_revision == 2
    with pytest.raises(CommandRefused, match="nothing is left to commit"):
        await runs.begin({"replay": replay, "step": "commit"})
    assert (await house.row(ids[0])).report_revision == 2


@ensureDeferred
async def test_stopped_and_gone_on_with(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the slice that is under way; who stopped it is known, and nothing is lost."""
    monkeypatch.setattr(replays_module, "AT_ONCE", 1)
    intake, ids = await line(house, *[REJECTED] * 3)
    judges = FakeJudges(ACCEPTED)
    judges.gate = defer.Deferred()
    replays = desk(house, intake, judges)
    runs = runs_of(house, replays)
    replay = (await replays.make({"interchanges": ids}))["replay"]
    await runs.begin({"replay": replay, "step": "try"})
    with pytest.raises(CommandRefused, match="runs already"):
        await runs.begin({"replay": replay, "step": "try"})
    assert (await runs.stop({"replay": replay, "by": "ada"}))["stopping"]
    gate, judges.gate = judges.gate, None
    gate.callback(None)
    run = await ended(runs, replay)
    assert (run["ending"], run["said"]) == ("stopped", "ada")
    assert (await replays.show({"replay": replay}))["waiting"] == 2
    assert not (await runs.stop({"replay": replay}))["stopping"]
    with pytest.raises(CommandRefused, match="not tried to its end"):
        await runs.begin({"replay": replay, "step": "commit"})
    await runs.begin({"replay": replay, "step": "try"})
    assert (await ended(runs, replay))["ending"] == "done"
    assert (await replays.show({"replay": replay}))["tried"] == 3


@ensureDeferred
async def test_a_gateway_that_stops_fails_nothing(house: House) -> None:
    """What the stopping judges did not judge waits as before; another gateway goes on."""
    intake, ids = await line(house, *[REJECTED] * 3)
    judges = FakeJudges(WorkersStopped("The workers are being stopped."))
    replays = desk(house, intake, judges)
    runs = runs_of(house, replays)
    replay = (await replays.make({"interchanges": ids}))["replay"]
    await runs.begin({"replay": replay, "step": "try"})
    run = await ended(runs, replay)
    assert (run["ending"], run["said"]) == ("broken", "The workers are being stopped.")
    shown = await replays.show({"replay": replay})
    assert (shown["waiting"], shown["failed"]) == (3, 0)
    after = desk(house, intake, FakeJudges(ACCEPTED))
    again = runs_of(house, after)
    assert (await again.tell({"replay": replay}))["run"] is None
    await again.begin({"replay": replay, "step": "try"})
    assert (await ended(again, replay))["ending"] == "done"
    assert (await after.show({"replay": replay}))["tried"] == 3


@ensureDeferred
async def test_closed_doors(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing begins before the gateway is ready, and what runs breaks off when it stops."""
    monkeypatch.setattr(replays_module, "AT_ONCE", 1)
    intake, ids = await line(house, REJECTED, REJECTED)
    judges = FakeJudges(ACCEPTED)
    judges.gate = defer.Deferred()
    replays = desk(house, intake, judges)
    open_ = [False]
    runs = runs_of(house, replays, open_)
    replay = (await replays.make({"interchanges": ids}))["replay"]
    with pytest.raises(CommandRefused, match="starts or stops"):
        await runs.begin({"replay": replay, "step": "try"})
    open_[0] = True
    await runs.begin({"replay": replay, "step": "try"})
    open_[0] = False
    judges.gate.callback(None)
    run = await ended(runs, replay)
    assert (run["ending"], run["said"]) == (
        "broken",
        "The gateway is stopping. Go on when it runs again.",
    )
    assert (await replays.show({"replay": replay}))["waiting"] == 1


@ensureDeferred
async def test_only_so_many_at_once(house: House) -> None:
    """They would only be slower, all of them."""
    intake, ids = await line(house, REJECTED)
    judges = FakeJudges(ACCEPTED)
    judges.gate = defer.Deferred()
    replays = desk(house, intake, judges)
    runs = runs_of(house, replays)
    made = [(await replays.make({"interchanges": ids}))["replay"] for _ in range(MOST + 1)]
    for replay in made[:MOST]:
        await runs.begin({"replay": replay, "step": "try"})
    with pytest.raises(CommandRefused, match=f"{MOST} replays run already"):
        await runs.begin({"replay": made[MOST], "step": "try"})
    gate, judges.gate = judges.gate, None
    gate.callback(None)
    for replay in made[:MOST]:
        assert (await ended(runs, replay))["ending"] == "done"


@ensureDeferred
async def test_there_is_no_such_replay(house: House) -> None:
    """Whatever is to be done with it."""
    intake, _ = await line(house, REJECTED)
    runs = runs_of(house, desk(house, intake, FakeJudges(ACCEPTED)))
    for step in ("try", "commit"):
        with pytest.raises(CommandRefused, match="There is no replay x"):
            await runs.begin({"replay": "x", "step": step})
    assert (await runs.stop({"replay": "x"})) == {"replay": "x", "stopping": False}
