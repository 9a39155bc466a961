"""What rules to come would reject: tried over the last days from the page of the rules."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pytest_twisted import ensureDeferred

from gateway.cli.main import main
from gateway.service.console import rules_page
from gateway.service.console.console import pages
from gateway.service.console.gate import Gate
from gateway.service.console.rules_next import MOST_DAYS, coming_of
from gateway.service.console.users import Role
from tests.schematron_sources import UBL, pattern, rule, written
from tests.service.console.rig import ConsoleRig, console_rig
from tests.service.console.test_replays_page import ended, received, shown
from tests.service.house import ACCEPTED, REJECTED, FakeJudges


def today() -> dt.date:
    """As the gateway counts days."""
    return dt.datetime.now(dt.UTC).date()


def later() -> dt.date:
    """A day to come."""
    return today() + dt.timedelta(days=30)


@pytest.fixture
def rule_packs(tmp_path: Path) -> Path:
    """A folder of rule packs with a version that begins later."""
    folder = tmp_path / "packs"
    asserted = '<assert id="ACME-1" test="cbc:ID">x</assert>'
    source = written(tmp_path, UBL + pattern(rule("/ubl:Invoice", asserted)))
    words = ["--valid-from", f"{later()}", "--rule-packs", f"{folder}"]
    assert main(["rules", "import", str(source), *words]) == 0
    return folder


def with_packs(rig: ConsoleRig, folder: Path) -> None:
    """The console knows the packs of this folder."""
    rig.sources = msgspec.structs.replace(rig.sources, rule_packs=folder)
    rig.gate = Gate(pages(rig.sources, late_hours=24), rig.sources)


@pytest.fixture
def _none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever day it is, no version of the catalogue is to come."""
    monkeypatch.setattr(rules_page, "_packs", lambda _folder, _today: [])


@ensureDeferred
async def test_what_it_would_reject(rule_packs: Path, tmp_path: Path) -> None:
    """Of what was accepted: counted by rule and partner, with the document; nothing is written."""
    judges = FakeJudges(ACCEPTED)
    (tmp_path / "state").mkdir()
    async with console_rig(tmp_path / "state", judges) as rig:
        with_packs(rig, rule_packs)
        (id_,) = await received(rig, "a.xml")
        judges.verdicts = [REJECTED]
        await received(rig, "was-rejected.xml")
        rig.tried_by.verdicts = [REJECTED]
        login = rig.login(Role.OPERATOR, user="ada")
        page = await rig.ask("GET", "/console/rules", login=login)
        assert f'<option value="{later()}"' in page.text
        assert "house" in page.text
        form = {"day": f"{later()}", "days": "7"}
        reply = await rig.ask("POST", "/console/rules/next", login=login, form=form)
        assert reply.status == 303, reply.text
        replay = reply.headers["location"].rpartition("/")[2]
        await ended(rig, replay)
        page = await shown(rig, login, replay)
        assert "<code>BR-CO-15</code>" in page.text
        assert f"/console/interchanges/{id_}/documents/1" in page.text
        assert "<bdi>acme</bdi>" in page.text
        assert f"since {today() - dt.timedelta(days=7)}" in page.text
        assert [(job.name, job.on) for job in rig.tried_by.jobs] == [("a.xml", later())]
        assert "/commit" not in page.text
        assert (await rig.house.row(id_)).report_revision == 1


@pytest.mark.parametrize("days", ["", "0", f"{MOST_DAYS + 1}", "-3", "many", "99999"])
@ensureDeferred
async def test_days_are_bounded(tmp_path: Path, days: str) -> None:
    """Nothing is tried then."""
    async with console_rig(tmp_path, FakeJudges(ACCEPTED)) as rig:
        await received(rig, "a.xml")
        form = {"day": f"{later()}", "days": days}
        login = rig.login(Role.OPERATOR)
        reply = await rig.ask("POST", "/console/rules/next", login=login, form=form)
        assert reply.status == 400
        assert rig.tried_by.jobs == []


@pytest.mark.usefixtures("_none")
@ensureDeferred
async def test_none_is_installed(tmp_path: Path) -> None:
    """The page says how to get one; a day on which nothing begins is refused."""
    async with console_rig(tmp_path) as rig:
        login = rig.login(Role.OPERATOR)
        page = await rig.ask("GET", "/console/rules", login=login)
        assert "No version is installed that begins later than today." in page.text
        assert "edi-gateway rules import FILE --name PACK --valid-from DATE" in page.text
        assert "/console/rules/next" not in page.text
        form = {"day": f"{later()}", "days": "7"}
        reply = await rig.ask("POST", "/console/rules/next", login=login, form=form)
        assert reply.status == 400
        assert "No version begins on that day any more." in reply.text


@pytest.mark.parametrize(
    ("role", "partner", "token"),
    [(Role.VIEWER, "", True), (Role.OPERATOR, "acme", True), (Role.OPERATOR, "", False)],
)
@ensureDeferred
async def test_who_may_not_try(tmp_path: Path, role: Role, partner: str, token: Any) -> None:
    """No viewer, no login of a partner's, nobody without the session's token."""
    async with console_rig(tmp_path, FakeJudges(ACCEPTED)) as rig:
        await received(rig, "a.xml")
        login = rig.login(role, partner)
        form = {"day": f"{later()}", "days": "7"}
        reply = await rig.ask("POST", "/console/rules/next", login=login, form=form, token=token)
        assert reply.status == 403
        assert rig.tried_by.jobs == []
        if role is Role.VIEWER:
            page = await rig.ask("GET", "/console/rules", login=login)
            assert "/console/rules/next" not in page.text


def test_days_on_which_versions_begin() -> None:
    """Only those to come, the next first, each with all that begins on it."""
    day = dt.date(2026, 9, 1)
    next_, after = day + dt.timedelta(days=1), day + dt.timedelta(days=9)
    versions = [(after, "a 3"), (None, "b 1"), (day, "a 1"), (next_, "a 2"), (after, "c 2")]
    assert coming_of(versions, day) == [(next_, ("a 2",)), (after, ("a 3", "c 2"))]


@pytest.mark.usefixtures("_none")
@ensureDeferred
async def test_the_rules_most_documents_violate(tmp_path: Path) -> None:
    """Of what was received lately, with the way to these documents."""
    judges = FakeJudges(ACCEPTED)
    async with console_rig(tmp_path, judges) as rig:
        login = rig.login(Role.VIEWER, user="ada")
        page = await rig.ask("GET", "/console/rules", login=login)
        assert "Nothing was rejected." in page.text
        judges.verdicts = [REJECTED]
        await received(rig, "bad.xml")
        page = await rig.ask("GET", "/console/rules", login=login)
        assert f"Most violated in the last {rules_page.LATELY_DAYS} days" in page.text
        assert '<a href="/console/search?rule=BR-CO-15"><code>BR-CO-15</code></a>' in page.text
