"""Every page by every role, and by a login of another partner: nobody sees what is not theirs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred

from gateway.model.interchange import Transport
from gateway.service.console.users import Role
from gateway.service.console.visit import Route
from tests.service.console.rig import ConsoleRig, console_rig
from tests.service.house import NO_PACK, REJECTED, FakeJudges

SECRET = "file-of-acme-alone.xml"
FILLED = {"reason": "because", "rules": "", "partner": "acme"}


def path_of(route: Route, interchange: str) -> str:
    """An address of this route, about this interchange."""
    path = route.path.replace("{interchange}", interchange).replace("{n}", "1")
    return path.replace("{name}", "nothing.css")


async def an_interchange(rig: ConsoleRig) -> str:
    """One of acme's, rejected and reported on."""
    arrival = rig.house.arrival(SECRET)
    id_ = await rig.intake.receive(arrival, Transport.SFTP)
    await rig.house.reaches(id_, "settled")
    return str(id_)


@ensureDeferred
async def test_nobody_sees_anything_without_a_login(tmp_path: Path) -> None:
    """Whatever needs a login leads to it, or says so; nothing of the journal is in the answer."""
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        id_ = await an_interchange(rig)
        closed = [route for route in rig.routes if not route.open]
        assert len(closed) > 25
        for route in closed:
            reply = await rig.ask(route.method, path_of(route, id_), form=FILLED)
            assert reply.status in (303, 401), route
            assert SECRET not in reply.text, route
            if reply.status == 303:
                assert reply.headers["location"] == "/console/login", route


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
@ensureDeferred
async def test_a_login_of_another_partner(tmp_path: Path, role: Role) -> None:
    """Of every route: no page of all partners, no interchange, no download of acme's."""
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        id_ = await an_interchange(rig)
        rig.replays.clear()
        for route in rig.routes:
            if route.open or "logout" in route.path or route.upload:
                continue
            login = rig.login(role, "other", f"someone-{role.word}")
            reply = await rig.ask(route.method, path_of(route, id_), login=login, form=FILLED)
            assert SECRET not in reply.text, route
            assert id_ not in reply.text, route
            if "{interchange}" in route.path:
                assert reply.status in (403, 404), route
            elif not route.scoped:
                assert reply.status == 403, route
            else:
                assert reply.status in (200, 303), route
        assert rig.replays == []
        assert (await rig.house.row(id_)).state == "settled"


@pytest.mark.parametrize("role", list(Role))
@ensureDeferred
async def test_every_page_by_every_role(tmp_path: Path, role: Role) -> None:
    """403 where the role is not enough; where it is, an answer that is no fault of ours."""
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        id_ = await an_interchange(rig)
        for route in rig.routes:
            if route.open or route.upload:
                continue
            login = rig.login(role, "", f"someone-{role.word}")
            reply = await rig.ask(route.method, path_of(route, id_), login=login, form=FILLED)
            if role < route.role:
                assert reply.status == 403, route
            else:
                # 404: no AS2 message; 400, 409: the forms are not filled in sensibly here.
                assert reply.status in (200, 303, 400, 404, 409), (route, reply.text)
        assert rig.said.calls == [] or all(call.method_name != "error" for call in rig.said.calls)


@ensureDeferred
async def test_a_partner_sees_its_own(tmp_path: Path) -> None:
    """Its flux, its verdict with the reasons, its report; not what was said to the broker."""
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        id_ = await an_interchange(rig)
        login = rig.login(Role.VIEWER, "acme")
        listed = await rig.ask("GET", "/console/interchanges", login=login)
        assert SECRET in listed.text
        page = await rig.ask("GET", f"/console/interchanges/{id_}", login=login)
        assert "BR-CO-15" in page.text
        assert "Replay" not in page.text
        offered = re.findall(rf"/console/interchanges/{id_}/messages/(\d+)", page.text)
        assert offered
        for number in offered:
            kept = await rig.ask(
                "GET", f"/console/interchanges/{id_}/messages/{number}", login=login
            )
            assert kept.status == 200
            assert kept.headers["content-disposition"].startswith("attachment; filename=")
        results = [row.id for row in await rig.house.outbox(id_, "document")]
        for number in results:
            path = f"/console/interchanges/{id_}/messages/{number}"
            assert (await rig.ask("GET", path, login=login)).status == 404
            assert (await rig.ask("GET", path, login=rig.login())).status == 200


@ensureDeferred
async def test_a_partner_is_not_told_of_our_failures(tmp_path: Path) -> None:
    """A missing rule pack is for operators; the partner reads that nothing is to be sent again."""
    async with console_rig(tmp_path, FakeJudges(NO_PACK)) as rig:
        arrival = rig.house.arrival(SECRET)
        id_ = await rig.intake.receive(arrival, Transport.SFTP)
        await rig.house.reaches(id_, "quarantined")
        path = f"/console/interchanges/{id_}"
        own = await rig.ask("GET", path, login=rig.login(Role.OPERATOR, "acme"))
        assert "pack missing" not in own.text
        assert "nothing has to be sent again" in own.text
        ours = await rig.ask("GET", path, login=rig.login(Role.OPERATOR))
        assert "pack missing" in ours.text


@ensureDeferred
async def test_downloads_are_never_pages(tmp_path: Path) -> None:
    """An original that is HTML is kept, not shown: attachment, no sniffing, sandboxed."""
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        arrival = rig.house.arrival('évil"name.html', b"<script>alert(1)</script>")
        id_ = await rig.intake.receive(arrival, Transport.SFTP)
        await rig.house.reaches(id_, "settled")
        reply = await rig.ask("GET", f"/console/interchanges/{id_}/original", login=rig.login())
        assert reply.status == 200
        assert reply.headers["content-type"] == "application/octet-stream"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["content-disposition"] == (
            "attachment; filename=\"_vil_name.html\"; filename*=UTF-8''%C3%A9vil%22name.html"
        )
        assert reply.answer.file is not None
        assert reply.answer.file.read_bytes() == b"<script>alert(1)</script>"
