"""The SVRL report of each rule pack: offered where the document is, and fetched by whose it is."""

from __future__ import annotations

from pathlib import Path

from pytest_twisted import ensureDeferred

from gateway.errors import WorkerTimeout
from gateway.model.interchange import Transport
from gateway.service.console.users import Role
from tests.service.console.rig import ConsoleRig, console_rig
from tests.service.test_svrl_reports import HOUSE, PACK, Reporters


async def judged(rig: ConsoleRig, name: str = "a.xml") -> str:
    """An interchange of acme's that two packs judged."""
    id_ = await rig.intake.receive(rig.house.arrival(name), Transport.SFTP)
    await rig.house.reaches(id_, "settled")
    return str(id_)


def path_of(id_: str, pack: str = PACK.sha256, document: int = 1) -> str:
    """Where the report is to be had."""
    return f"/console/interchanges/{id_}/documents/{document}/svrl/{pack}"


@ensureDeferred
async def test_each_pack_that_judged_is_offered(tmp_path: Path) -> None:
    """On both pages, by pack and version; the directory of recipients is no pack."""
    async with console_rig(tmp_path, Reporters()) as rig:
        id_ = await judged(rig)
        for path in (f"/console/interchanges/{id_}", f"/console/interchanges/{id_}/documents/1"):
            page = await rig.ask("GET", path, login=rig.login(Role.VIEWER, "acme"))
            for pack in (PACK, HOUSE):
                link = f'<a href="{path_of(id_, pack.sha256)}" download="">'
                assert f"{link}{pack.pack} {pack.version}</a>" in page.text, path
            assert page.text.count("/svrl/") == 2


@ensureDeferred
async def test_it_is_a_file_to_keep(tmp_path: Path) -> None:
    """XML, never shown as a page of ours; the partner whose it is has it, nobody else's login."""
    report = tmp_path / "report.xml"
    report.write_bytes(b"<svrl/>")
    async with console_rig(tmp_path, Reporters()) as rig:
        id_ = await judged(rig)
        rig.svrl = report
        for login in (rig.login(Role.VIEWER), rig.login(Role.VIEWER, "acme")):
            reply = await rig.ask("GET", path_of(id_), login=login)
            assert reply.status == 200
            assert reply.answer.file == report
            assert reply.headers["content-type"] == "application/xml"
            assert reply.headers["content-disposition"].startswith(
                'attachment; filename="1.en16931-ubl.svrl.xml"'
            )
            assert reply.headers["x-content-type-options"] == "nosniff"
        other = await rig.ask("GET", path_of(id_), login=rig.login(Role.OPERATOR, "other"))
        assert other.status == 404
        nobody = await rig.ask("GET", path_of(id_))
        assert nobody.headers["location"] == "/console/login"
        wrong = await rig.ask("POST", path_of(id_), login=rig.login())
        assert wrong.status == 405


@ensureDeferred
async def test_what_cannot_be_asked_for(tmp_path: Path) -> None:
    """No document 0, and no pack whose sum is longer than a sum: there is no such page."""
    async with console_rig(tmp_path, Reporters()) as rig:
        id_ = await judged(rig)
        for path in (path_of(id_, document=0), path_of(id_, "e" * 80)):
            assert (await rig.ask("GET", path, login=rig.login())).status == 404


@ensureDeferred
async def test_why_it_failed_is_for_us(tmp_path: Path) -> None:
    """Operators read the reason; the partner only that there is none, in its language."""
    async with console_rig(tmp_path, Reporters()) as rig:
        id_ = await judged(rig)
        rig.svrl = WorkerTimeout("The judge took too long.", remedy="Raise a limit.")
        ours = await rig.ask("GET", path_of(id_), login=rig.login())
        assert ours.status == 409
        assert "The judge took too long." in ours.text
        login = rig.login(Role.VIEWER, "acme")
        login[1].language = type(login[1].language)("fr")
        own = await rig.ask("GET", path_of(id_), login=login)
        assert own.status == 409
        assert "The judge" not in own.text
        assert "Il n&#x27;y a pas de rapport" in own.text
