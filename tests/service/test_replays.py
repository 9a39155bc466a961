"""Thousands judged again: tried first, and committed once, whoever stops and goes on."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import defer

from gateway.errors import WorkerDied
from gateway.service import replays as replays_module
from gateway.service.control import CommandRefused
from gateway.service.intake import Intake
from gateway.service.journal import replays_records
from gateway.service.journal.tables import ItemState
from gateway.service.replays import Replays
from tests.service.house import ACCEPTED, REJECTED, FakeJudges, House
from tests.service.test_replay import archive
from tests.service.test_replay import desk as trying
from tests.service.test_replay_commit import acknowledged, deliver
from tests.service.test_replay_commit import desk as committing


def desk(house: House, intake: Intake, judges: FakeJudges) -> Replays:
    """Who answers the commands."""
    return Replays(
        house.journal,
        replay=trying(house, judges),
        replaying=committing(house, intake),
        log=structlog.wrap_logger(house.said, processors=[]),
    )


async def line(house: House, *verdicts: Any) -> tuple[Intake, list[str]]:
    """A line, and what it has judged: a file for each verdict."""
    intake = await house.intake(FakeJudges(*verdicts))
    ids = [
        await acknowledged(house, intake, f"{number}.xml", str(number).encode())
        for number, _ in enumerate(verdicts)
    ]
    return intake, ids


async def tried_whole(answers: Replays, replay: str) -> dict[str, Any]:
    """Tried to its end, as the command line does it."""
    while True:
        progress = await answers.attempt({"replay": replay})
        if not progress["waiting"]:
            return progress


async def committed_whole(answers: Replays, replay: str, **arguments: Any) -> dict[str, Any]:
    """Committed to its end."""
    while True:
        progress = await answers.commit_next({"replay": replay, **arguments})
        if not progress["more"]:
            return progress


@ensureDeferred
async def test_what_would_change_is_known_and_then_done(house: House) -> None:
    """Only those in which something would; each once, whoever asks again."""
    intake, ids = await line(house, REJECTED, ACCEPTED, REJECTED)
    answers = desk(house, intake, FakeJudges(ACCEPTED))
    made = await answers.make({"verdict": "rejected", "rules": "2027-01-01", "by": "ann"})
    assert made["interchanges"] == 2
    progress = await tried_whole(answers, made["replay"])
    assert (progress["tried"], progress["documents"], progress["changed"]) == (2, 2, 2)
    assert (progress["made_by"], progress["chosen"]) == ("ann", "verdict rejected")
    shown = await answers.show({"replay": made["replay"]})
    assert [item["interchange"] for item in shown["items"]] == [ids[0], ids[2]]
    (change,) = shown["items"][0]["changes"]
    assert (change["before"], change["after"], change["documents"]) == ("rejected", "accepted", 1)
    assert (await answers.show({"replay": made["replay"], "after": ids[2]}))["items"] == []
    assert [(await house.row(id_)).report_revision for id_ in ids] == [1, 1, 1]
    for _ in range(2):
        done = await committed_whole(answers, made["replay"])
        assert (done["committed"], done["refused"], done["tried"]) == (2, 0, 0)
    for id_ in (ids[0], ids[2]):
        await house.reaches(id_, "settled")
        row = await house.row(id_)
        assert (row.report_revision, str(row.rules_on)) == (2, "2027-01-01")
    assert (await house.row(ids[1])).report_revision == 1


@ensureDeferred
async def test_it_is_committed_in_slices_and_goes_on_where_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart in between is nothing: all there is to know stands in the journal."""
    monkeypatch.setattr(replays_module, "AT_ONCE", 2)
    intake, ids = await line(house, *[REJECTED] * 5)
    made = await desk(house, intake, FakeJudges(ACCEPTED)).make({"interchanges": ids})
    for waiting in (3, 1, 0):
        answers = desk(house, intake, FakeJudges(ACCEPTED))  # as after a restart
        assert (await answers.attempt({"replay": made["replay"]}))["waiting"] == waiting
    for committed, more in ((2, True), (4, True), (5, False)):
        answers = desk(house, intake, FakeJudges(ACCEPTED))
        progress = await answers.commit_next({"replay": made["replay"]})
        assert (progress["committed"], progress["more"]) == (committed, more)
    for id_ in ids:
        await house.reaches(id_, "settled")
        await deliver(house, id_)
        assert (await house.reaches(id_, "acknowledged")).report_revision == 2


@ensureDeferred
async def test_two_at_once_judge_nothing_twice(house: House) -> None:
    """Impatient people press the button again."""
    intake, ids = await line(house, *[REJECTED] * 4)
    judges = FakeJudges(ACCEPTED)
    answers = desk(house, intake, judges)
    made = await answers.make({"interchanges": ids})
    asked = [
        defer.Deferred.fromCoroutine(answers.attempt({"replay": made["replay"]})) for _ in "ab"
    ]
    await defer.gatherResults(asked)
    assert len(judges.jobs) == 4
    asked = [
        defer.Deferred.fromCoroutine(answers.commit_next({"replay": made["replay"]})) for _ in "ab"
    ]
    await defer.gatherResults(asked)
    for id_ in ids:
        await house.reaches(id_, "settled")
        assert (await house.row(id_)).report_revision == 2


@ensureDeferred
async def test_nothing_is_committed_that_was_not_tried(house: House) -> None:
    """Nobody would know what it does."""
    intake, ids = await line(house, REJECTED)
    answers = desk(house, intake, FakeJudges(ACCEPTED))
    made = await answers.make({"interchanges": ids})
    with pytest.raises(CommandRefused, match="was not tried to its end") as caught:
        await answers.commit_next({"replay": made["replay"]})
    assert "replay --try" in caught.value.remedy


@ensureDeferred
async def test_what_cannot_be_judged_keeps_its_verdict(house: House) -> None:
    """A fault of ours is no change of mind; it can be tried again."""
    intake, ids = await line(house, REJECTED)
    judges = FakeJudges(WorkerDied("The judge died."))
    answers = desk(house, intake, judges)
    made = await answers.make({"interchanges": ids})
    progress = await tried_whole(answers, made["replay"])
    assert (progress["failed"], progress["changed"]) == (1, 0)
    (item,) = (await answers.show({"replay": made["replay"]}))["items"]
    assert "The judge died." in item["said"]
    assert (await committed_whole(answers, made["replay"], unchanged=True))["committed"] == 0
    judges.verdicts = [ACCEPTED]
    progress = await answers.attempt({"replay": made["replay"], "again": True})
    assert (progress["failed"], progress["tried"], progress["changed"]) == (0, 1, 1)


@ensureDeferred
async def test_what_cannot_be_committed_is_named(house: House) -> None:
    """One that is judged again already is left out, with the reason, and the others go on."""
    intake, ids = await line(house, REJECTED, REJECTED)
    answers = desk(house, intake, FakeJudges(ACCEPTED))
    made = await answers.make({"interchanges": ids})
    await tried_whole(answers, made["replay"])
    await committing(house, intake).commit({"interchange": ids[0]})
    await house.reaches(ids[0], "settled")
    done = await committed_whole(answers, made["replay"])
    assert (done["committed"], done["refused"]) == (1, 1)
    items = (await answers.show({"replay": made["replay"]}))["items"]
    assert "cannot be judged again" in items[0]["said"]


@ensureDeferred
async def test_an_archive_is_one_of_them(house: House) -> None:
    """Its documents are counted by what would change."""
    judges = FakeJudges(REJECTED)
    intake = await house.intake(judges)
    id_ = await acknowledged(house, intake, "a.tar.gz", archive("a.xml", "b.xml", "c.xml"))
    tried = FakeJudges(REJECTED)
    tried.by_name = {"a.xml": ACCEPTED, "c.xml": ACCEPTED}
    answers = desk(house, intake, tried)
    made = await answers.make({"partner": "acme", "since": "2020-01-01"})
    progress = await tried_whole(answers, made["replay"])
    assert (progress["interchanges"], progress["documents"], progress["changed"]) == (1, 3, 2)
    (item,) = (await answers.show({"replay": made["replay"]}))["items"]
    assert item["interchange"] == id_
    assert [each["documents"] for each in item["changes"]] == [2]


@pytest.mark.parametrize(
    "arguments", [{"partner": "nobody"}, {"until": "2020-01-01"}, {"rule": "BR-NEVER"}]
)
@ensureDeferred
async def test_nothing_to_choose(house: House, arguments: dict[str, Any]) -> None:
    """Said at once, before anything is noted."""
    intake, _ = await line(house, REJECTED)
    with pytest.raises(CommandRefused, match="none can be judged again"):
        await desk(house, intake, FakeJudges(ACCEPTED)).make(arguments)
    assert await house.journal.read("t", replays_records.newest_replays) == []


@ensureDeferred
async def test_no_such_replay(house: House) -> None:
    """Whatever is asked of it."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    answers = desk(house, intake, FakeJudges(ACCEPTED))
    for command in (answers.attempt, answers.commit_next, answers.show):
        with pytest.raises(CommandRefused, match="There is no replay x"):
            await command({"replay": "x"})


@ensureDeferred
async def test_the_newest_are_listed_first(house: House) -> None:
    """With who made them, when, and what was chosen."""
    intake, ids = await line(house, REJECTED)
    answers = desk(house, intake, FakeJudges(ACCEPTED))
    for _ in range(2):
        await answers.make({"interchanges": ids})
    rows = await house.journal.read("t", replays_records.newest_replays)
    assert rows[0].made_at >= rows[1].made_at
    assert rows[0].chosen == "1 interchange, named"
    assert dt.datetime.now(dt.UTC) - rows[0].made_at < dt.timedelta(minutes=5)
    counts = await house.journal.read("t", lambda conn: replays_records.standing(conn, rows[0].id))
    assert counts == {ItemState.WAITING: (1, 0, 0)}
