"""Replays of many in the console: chosen, tried, looked at, and committed once."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.errors import WorkerDied
from gateway.service import replays as replays_module
from gateway.service.console import replay_page
from gateway.service.console.users import Role
from gateway.service.journal.audit_records import Outcome
from tests.service.console.rig import ConsoleRig, Reply, console_rig
from tests.service.console.test_acting import audit
from tests.service.house import ACCEPTED, REJECTED, FakeJudges
from tests.service.test_replay_commit import acknowledged

FLOW = "ctc-fr-invoice"


async def received(rig: ConsoleRig, *names: str) -> list[str]:
    """Interchanges that came to their end, of these names."""
    return [
        await acknowledged(rig.house, rig.intake, name, f"<a>{name}</a>".encode()) for name in names
    ]


async def ended(rig: ConsoleRig, replay: str) -> None:
    """Wait, bounded, until nothing runs."""
    for _ in range(500):
        run = (await rig.sources.commands["replays.running"]({"replay": replay}))["run"]
        if run["ending"] != "running":
            return
        await task.deferLater(reactor, 0.02)
    raise AssertionError("still running")


async def made(rig: ConsoleRig, login: Any, **form: str) -> str:
    """The id of a replay that was chosen so, tried to its end."""
    reply = await rig.ask("POST", "/console/replays", login=login, form=form)
    assert reply.status == 303, reply.text
    replay = reply.headers["location"].rpartition("/")[2]
    await ended(rig, replay)
    return replay


async def shown(rig: ConsoleRig, login: Any, replay: str, query: str = "") -> Reply:
    """Its page."""
    reply = await rig.ask("GET", f"/console/replays/{replay}{query}", login=login)
    assert reply.status == 200
    return reply


def figure(reply: Reply, name: str) -> str:
    """A number of the page."""
    found = re.search(rf'data-live="replay-{name}">([^<]*)<', reply.text)
    assert found is not None
    return found[1]


@ensureDeferred
async def test_chosen_tried_looked_at_and_committed_once(tmp_path: Path) -> None:
    """By one who is named in the audit; the second commit is refused, and nothing is done twice."""
    judges = FakeJudges(REJECTED)
    async with console_rig(tmp_path, judges) as rig:
        ids = await received(rig, "a.xml", "b.xml")
        judges.verdicts = [ACCEPTED]
        login = rig.login(Role.OPERATOR, user="ada")
        replay = await made(rig, login, rule="BR-CO-15", rules="2026-09-01")
        page = await shown(rig, login, replay)
        assert (figure(page, "tried"), figure(page, "changed")) == ("2", "2")
        assert "rule BR-CO-15" in page.text
        assert "documents that would be judged otherwise: 2." in page.text
        for id_, name in zip(ids, ("a.xml", "b.xml"), strict=True):
            assert f'<a href="/console/interchanges/{id_}"><bdi>{name}</bdi></a>' in page.text
        assert [(await rig.house.row(id_)).report_revision for id_ in ids] == [1, 1]
        form = {"shown": page.field("shown")}
        path = f"/console/replays/{replay}/commit"
        assert (await rig.ask("POST", path, login=login, form=form)).status == 303
        await ended(rig, replay)
        page = await shown(rig, login, replay)
        assert "Committed; interchanges judged again: 2. It cannot be committed again." in (
            page.text
        )
        assert "/commit" not in page.text
        again = await rig.ask("POST", path, login=login, form=form)
        assert again.status == 409
        assert "nothing is left to commit" in again.text
        for id_ in ids:
            assert (await rig.house.reaches(id_, "settled")).report_revision == 2
        rows = await audit(rig)
        assert [(row.action, row.outcome, row.by) for row in rows] == [
            ("replays.run", Outcome.REFUSED, "ada"),
            ("replays.run", Outcome.DONE, "ada"),
            ("replays.run", Outcome.DONE, "ada"),
            ("replays.make", Outcome.DONE, "ada"),
        ]
        assert "rule BR-CO-15" in rows[-1].subject
        listed = await rig.ask("GET", "/console/replays", login=login)
        assert f"/console/replays/{replay}" in listed.text
        assert "committed" in listed.text


@ensureDeferred
async def test_only_what_was_shown_is_committed(tmp_path: Path) -> None:
    """No token of the page, another replay's, or one of before it was tried again: refused."""
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        (id_,) = await received(rig, "a.xml")
        login = rig.login(Role.OPERATOR)
        first = await made(rig, login, partner="acme")
        second = await made(rig, login, verdict="rejected")
        field = (await shown(rig, login, first)).field("shown")
        path = f"/console/replays/{second}/commit"
        for form in ({}, {"shown": ""}, {"shown": field}):
            assert (await rig.ask("POST", path, login=login, form=form)).status == 400
        form = {"shown": (await shown(rig, login, second)).field("shown")}
        stale = await rig.ask("POST", path, login=login, form=form, token=False)
        assert stale.status == 403
        other = rig.login(Role.OPERATOR, user="bob")
        assert (await rig.ask("POST", path, login=other, form=form)).status == 400
        assert (await rig.house.row(id_)).report_revision == 1
        assert (await rig.ask("POST", path, login=login, form=form)).status == 303


@pytest.mark.parametrize(("role", "partner"), [(Role.VIEWER, ""), (Role.OPERATOR, "acme")])
@ensureDeferred
async def test_who_may_not(tmp_path: Path, role: Role, partner: str) -> None:
    """Neither a viewer nor a partner's own login sees a replay, nor has anything done to one."""
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        await received(rig, "a.xml")
        replay = await made(rig, rig.login(Role.OPERATOR), partner="acme")
        login = rig.login(role, partner, "somebody-else")
        here = f"/console/replays/{replay}"
        for method, path in (
            ("GET", "/console/replays"),
            ("POST", "/console/replays"),
            ("GET", here),
            ("POST", f"{here}/try"),
            ("POST", f"{here}/commit"),
            ("POST", f"{here}/stop"),
        ):
            reply = await rig.ask(method, path, login=login, form={"partner": "acme"})
            assert reply.status == 403, (method, path)
        first = await rig.ask("GET", "/console/interchanges", login=login)
        assert "/console/replays" not in first.text
        told = await rig.ask("GET", f"/console/events?replay={replay}", login=login)
        assert "replay-" not in told.text


@ensureDeferred
async def test_its_numbers_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is tried the page says so and may stop it; stopped, it says by whom, and goes on."""
    monkeypatch.setattr(replays_module, "AT_ONCE", 1)
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        await received(rig, "a.xml", "b.xml", "c.xml")
        rig.tried_by.gate = defer.Deferred()
        login = rig.login(Role.OPERATOR, user="ada")
        reply = await rig.ask("POST", "/console/replays", login=login, form={"partner": "acme"})
        path = reply.headers["location"]
        replay = path.rpartition("/")[2]
        page = await shown(rig, login, replay)
        assert "It is being tried" in page.text
        assert f'data-events="/console/events?replay={replay}"' in page.text
        assert "/commit" not in page.text
        told = await rig.ask("GET", f"/console/events?replay={replay}", login=login)
        numbers = json.loads(told.text.partition("data: ")[2])
        assert (numbers["replay-interchanges"], numbers["replay-tried"]) == (3, 0)
        assert numbers["replay-running"] == 1
        assert (await rig.ask("POST", f"{path}/stop", login=login)).status == 303
        gate, rig.tried_by.gate = rig.tried_by.gate, None
        gate.callback(None)
        await ended(rig, replay)
        page = await shown(rig, login, replay)
        assert "interchanges that still wait: 2." in page.text
        assert "It was stopped by ada" in page.text
        assert (await rig.ask("POST", f"{path}/try", login=login)).status == 303
        await ended(rig, replay)
        page = await shown(rig, login, replay)
        assert figure(page, "tried") == "3"
        assert figure(page, "changed") == "3"


@ensureDeferred
async def test_one_that_was_cut_short_is_told(tmp_path: Path) -> None:
    """As after a restart: nothing runs, something waits, and there is a button to go on."""
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        await received(rig, "a.xml")
        login = rig.login(Role.OPERATOR)
        replay = (await rig.many.make({"partner": "acme"}))["replay"]
        page = await shown(rig, login, replay)
        assert "It was cut short" in page.text
        assert f"/console/replays/{replay}/try" in page.text
        login[1].language = type(login[1].language)("fr")
        page = await shown(rig, login, replay)
        assert "échanges encore en attente : 1." in page.text


@ensureDeferred
async def test_what_failed_is_named_and_tried_again(tmp_path: Path) -> None:
    """It keeps its verdict; the reason stands beside it."""
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        await received(rig, "a.xml")
        rig.tried_by.verdicts = [WorkerDied("The judge died.")]
        login = rig.login(Role.OPERATOR)
        replay = await made(rig, login, flow=FLOW)
        page = await shown(rig, login, replay)
        assert "could not be tried and keep their verdicts: 1." in page.text
        assert "The judge died." in page.text
        assert "/commit" not in page.text
        rig.tried_by.verdicts = [ACCEPTED]
        form = {"again": page.field("again")}
        await rig.ask("POST", f"/console/replays/{replay}/try", login=login, form=form)
        await ended(rig, replay)
        page = await shown(rig, login, replay)
        assert figure(page, "changed") == "1"
        assert "The judge died." not in page.text


@ensureDeferred
async def test_a_fault_of_ours_is_told(tmp_path: Path) -> None:
    """It breaks the run off, and stands on the page; what was not tried waits."""
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        await received(rig, "a.xml")
        rig.tried_by.verdicts = [OSError("<gone>")]
        login = rig.login(Role.OPERATOR)
        replay = await made(rig, login, flow=FLOW)
        page = await shown(rig, login, replay)
        assert "It was broken off: This is a fault of the gateway" in page.text
        assert "&lt;gone&gt;" in page.text
        assert figure(page, "tried") == "0"


@ensureDeferred
async def test_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each interchange stands on exactly one page."""
    monkeypatch.setattr(replay_page, "PAGE", 2)
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        ids = await received(rig, *(f"{number}.xml" for number in range(5)))
        login = rig.login(Role.OPERATOR)
        replay = await made(rig, login, flow=FLOW)
        seen: list[str] = []
        query = ""
        for _ in range(3):
            page = await shown(rig, login, replay, query)
            seen += re.findall(r'href="/console/interchanges/([0-9a-f-]{36})"', page.text)
            more = re.search(r"\?after=[0-9a-f-]{36}", page.text)
            query = more[0] if more is not None else ""
        assert seen == sorted(ids)
        assert query == ""


@ensureDeferred
async def test_rules_to_come_are_looked_at_and_not_committed(tmp_path: Path) -> None:
    """What would be rejected is counted by rule and partner, with the document; no button."""
    async with console_rig(tmp_path, FakeJudges(ACCEPTED)) as rig:
        (id_,) = await received(rig, "a.xml")
        rig.tried_by.verdicts = [REJECTED]
        login = rig.login(Role.OPERATOR)
        day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=40)
        replay = await made(rig, login, verdict="accepted", rules=f"{day}")
        page = await shown(rig, login, replay)
        assert f"Tried by the rules of {day}" in page.text
        assert "/commit" not in page.text
        assert "What would be rejected and is not now" in page.text
        assert "<code>BR-CO-15</code>" in page.text
        assert f"/console/interchanges/{id_}/documents/1" in page.text
        assert "<bdi>acme</bdi>" in page.text
        assert [str(job.on) for job in rig.tried_by.jobs] == [f"{day}"]
        refused = await rig.ask("POST", f"/console/replays/{replay}/commit", login=login)
        assert refused.status == 400
        assert (await rig.house.row(id_)).report_revision == 1


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 400),
        ({"rules": "2026-09-01"}, 400),
        ({"partner": "acme", "since": "soon"}, 400),
        ({"partner": "acme", "rules": "2026-99-99"}, 400),
        ({"verdict": "perhaps"}, 409),
        ({"partner": "nobody"}, 409),
    ],
)
@ensureDeferred
async def test_a_form_that_makes_no_sense(
    tmp_path: Path, form: dict[str, str], status: int
) -> None:
    """Said at once; nothing is made."""
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        await received(rig, "a.xml")
        login = rig.login(Role.OPERATOR)
        reply = await rig.ask("POST", "/console/replays", login=login, form=form)
        assert reply.status == status, reply.text
        listed = await rig.ask("GET", "/console/replays", login=login)
        assert "No replay of many was made yet." in listed.text


@ensureDeferred
async def test_the_form_comes_filled_in(tmp_path: Path) -> None:
    """From a page that names a rule; what is written there stays text."""
    async with console_rig(tmp_path) as rig:
        path = "/console/replays?rule=%22%3E%3Cscript%3E&partner=acme"
        reply = await rig.ask("GET", path, login=rig.login(Role.OPERATOR))
        assert "<script>" not in reply.text.replace("<script src=", "")
        assert 'value="&quot;&gt;&lt;script&gt;"' in reply.text
        assert '<option value="acme" selected="">' in reply.text
        missing = await rig.ask("GET", "/console/replays/nothing", login=rig.login(Role.OPERATOR))
        assert missing.status == 404
