"""What an operator does in the console: by the commands of the control socket, never unaudited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_twisted import ensureDeferred

from gateway.model.interchange import Transport
from gateway.service.console.users import Role
from gateway.service.journal.audit_records import Deed, Outcome, deeds
from gateway.service.journal.delivery_records import holds_in_force
from tests.service.console.rig import ConsoleRig, console_rig
from tests.service.house import ACCEPTED, NO_PACK, REJECTED, FakeJudges


async def received(rig: ConsoleRig, state: str, name: str = "a.xml", **options: Any) -> str:
    """An interchange that came to stand so."""
    id_ = await rig.intake.receive(rig.house.arrival(name, **options), Transport.SFTP)
    await rig.house.reaches(id_, state)
    return str(id_)


async def audit(rig: ConsoleRig) -> list[Deed]:
    """What was written down, the newest first."""
    rows: list[Deed] = await rig.house.journal.read("t", lambda conn: deeds(conn, limit=50))
    return rows


@ensureDeferred
async def test_release(tmp_path: Path) -> None:
    """What is in quarantine is judged again; who did it stands in the audit and on the page."""
    judges = FakeJudges(NO_PACK)
    async with console_rig(tmp_path, judges) as rig:
        id_ = await received(rig, "quarantined")
        judges.verdicts = [ACCEPTED]
        login = rig.login(Role.OPERATOR, user="ada")
        listed = await rig.ask("GET", "/console/quarantine", login=login)
        assert "pack missing" in listed.text
        reply = await rig.ask("POST", f"/console/interchanges/{id_}/release", login=login)
        assert reply.headers["location"] == f"/console/interchanges/{id_}?done=released"
        await rig.house.reaches(id_, "settled")
        (row,) = await audit(rig)
        assert (row.by, row.via, row.peer) == ("ada", "console", "192.0.2.1")
        assert (row.action, row.interchange_id) == ("quarantine.release", id_)
        assert (row.outcome, row.said) == (Outcome.DONE, "documents 1")
        page = await rig.ask("GET", f"/console/interchanges/{id_}?done=released", login=login)
        assert "quarantine.release" in page.text
        assert "by ada" in page.text


@ensureDeferred
async def test_set_aside_with_a_reason(tmp_path: Path) -> None:
    """Without one nothing is done, and that it was tried is written down."""
    async with console_rig(tmp_path, FakeJudges(NO_PACK)) as rig:
        id_ = await received(rig, "quarantined")
        login, path = rig.login(Role.OPERATOR), f"/console/interchanges/{id_}/discard"
        refused = await rig.ask("POST", path, login=login, form={"reason": "  "})
        assert refused.status == 409
        done = await rig.ask("POST", path, login=login, form={"reason": "sent by mistake"})
        assert done.status == 303
        assert [row.outcome for row in await audit(rig)] == [Outcome.DONE, Outcome.REFUSED]
        document = await rig.house.document(id_)
        assert document is not None
        assert document.cause == "sent by mistake"


@ensureDeferred
async def test_a_replay_is_tried_first(tmp_path: Path) -> None:
    """What is committed is what a trial showed: of this interchange, by the rules of this day."""
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        id_ = await received(rig, "settled")
        other = await received(rig, "settled", "b.xml", data=b"<b/>")
        login = rig.login(Role.OPERATOR)
        path = f"/console/interchanges/{id_}/replay"
        commit = f"{path}/commit"
        assert (await rig.ask("POST", commit, login=login, form={"rules": ""})).status == 400
        tried = await rig.ask("POST", path, login=login, form={"rules": "2026-09-01"})
        assert "1 judged again, 1 would change." in tried.text
        assert "BR-CO-15" in tried.text
        shown = {"tried": tried.field("tried"), "rules": tried.field("rules")}
        for wrong in ({**shown, "rules": "2026-10-01"}, {**shown, "rules": ""}):
            assert (await rig.ask("POST", commit, login=login, form=wrong)).status == 400
        elsewhere = f"/console/interchanges/{other}/replay/commit"
        assert (await rig.ask("POST", elsewhere, login=login, form=shown)).status == 400
        assert [what for what, _ in rig.replays] == ["try"]
        assert (await rig.ask("POST", commit, login=login, form=shown)).status == 303
        assert rig.replays[1:] == [("commit", {"interchange": id_, "rules": "2026-09-01"})]
        nonsense = await rig.ask("POST", path, login=login, form={"rules": "soon"})
        assert nonsense.status == 400


@ensureDeferred
async def test_hold_and_resume(tmp_path: Path) -> None:
    """By the name of whoever is logged in; a hold of nothing, or of nobody known, is refused."""
    async with console_rig(tmp_path) as rig:
        login = rig.login(Role.OPERATOR, user="ada")
        for form in ({"reason": "x"}, {"partner": "acme", "every": "1", "reason": "x"}):
            assert (await rig.ask("POST", "/console/holds", login=login, form=form)).status == 400
        form = {"partner": "nobody", "reason": "x"}
        assert (await rig.ask("POST", "/console/holds", login=login, form=form)).status == 409
        form = {"partner": "acme", "reason": "their server is down"}
        reply = await rig.ask("POST", "/console/holds", login=login, form=form)
        assert reply.headers["location"] == "/console/holds?done=held"
        (hold,) = await rig.house.journal.read("t", holds_in_force)
        assert (hold.partner, hold.placed_by) == ("acme", "ada")
        page = await rig.ask("GET", "/console/holds", login=login)
        assert "their server is down" in page.text
        first = await rig.ask("GET", "/console/", login=login)
        assert "Held: partner acme" in first.text
        reply = await rig.ask(
            "POST", "/console/holds/resume", login=login, form={"partner": "acme"}
        )
        assert reply.status == 303
        assert await rig.house.journal.read("t", holds_in_force) == []


@ensureDeferred
async def test_what_partners_write_stays_text(tmp_path: Path) -> None:
    """A file name that is markup is shown as it is, on every page that names it."""
    async with console_rig(tmp_path, FakeJudges(REJECTED)) as rig:
        name = "<script>alert(1)</script>&\u202efdp.xml"
        id_ = await received(rig, "settled", name)
        login = rig.login()
        for path in ("", "interchanges", f"interchanges/{id_}", f"interchanges/{id_}/documents/1"):
            reply = await rig.ask("GET", f"/console/{path}", login=login)
            assert reply.status == 200
            assert "<script>alert" not in reply.text
            assert "\u202e" not in reply.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in reply.text


@ensureDeferred
async def test_a_partner_drops_a_file(tmp_path: Path) -> None:
    """By the same intake as HTTP: received durably, under the partner's name; nothing is left."""
    async with console_rig(tmp_path) as rig:
        login = rig.login(Role.OPERATOR, "acme", "acme-desk")
        page = await rig.ask("GET", "/console/", login=login)
        assert 'enctype="multipart/form-data"' in page.text
        body = (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="r\xc3\xa9.xml"\r\n'
            b"Content-Type: text/xml\r\n\r\n<a/>\r\n--b--\r\n"
        )
        kind = {"Content_Type": "multipart/form-data; boundary=b"}
        path = f"/console/send?token={login[1].token('upload')}"
        reply = await rig.ask("POST", path, login=login, body=body, token=False, **kind)
        assert reply.status == 303, reply.text
        id_ = reply.headers["location"].rpartition("/")[2].partition("?")[0]
        row = await rig.house.row(id_)
        assert (row.partner, row.name, row.transport, row.size) == ("acme", "ré.xml", "web", 4)
        assert [path.suffix for path in rig.house.spool.incoming.iterdir()] == [""]  # the body's
        (deed,) = await audit(rig)
        assert (deed.by, deed.action) == ("acme-desk", "send")


@ensureDeferred
async def test_who_may_not_send(tmp_path: Path) -> None:
    """Refused before a byte of the file: no login, a viewer, an operator of ours, a wrong token."""
    async with console_rig(tmp_path) as rig:
        desk = rig.login(Role.OPERATOR, "acme")
        right = f"/console/send?token={desk[1].token('upload')}"
        kind = {"Content_Type": "multipart/form-data; boundary=b"}

        async def status(path: str, login: Any) -> int:
            before = set(rig.house.spool.incoming.iterdir())
            reply = await rig.ask("POST", path, login=login, body=b"x" * 500_000, **kind)
            assert set(rig.house.spool.incoming.iterdir()) == before
            return reply.status

        assert await status(right, None) == 401
        viewer = rig.login(Role.VIEWER, "acme")
        assert await status(f"/console/send?token={viewer[1].token('upload')}", viewer) == 403
        ours = rig.login(Role.VIEWER)
        assert await status(f"/console/send?token={ours[1].token('upload')}", ours) == 403
        for token in ("", desk[1].token(), viewer[1].token("upload")):
            assert await status(f"/console/send?token={token}", desk) == 403


@ensureDeferred
async def test_pages_of_an_empty_gateway_teach(tmp_path: Path) -> None:
    """Nothing is there: each page says what would be, in both languages."""
    async with console_rig(tmp_path) as rig:
        login = rig.login()
        expected = {
            "interchanges": ("Nothing has come in yet.", "Rien n'est encore arrivé."),
            "queue": ("Nothing is stuck", "Rien n'est bloqué"),
            "quarantine": ("Nothing is here.", "Rien ici."),
            "holds": ("Nothing is held.", "Rien n'est suspendu."),
            "audit": ("Nobody has done anything here yet.", "Personne n'a encore rien fait ici."),
            "search": ("Write the beginning of an invoice number", "Écrivez le début d'un numéro"),
            "statistics": ("Nothing has been judged", "Rien n'a été contrôlé"),
        }
        for at, language in enumerate(("en", "fr")):
            login[1].language = type(login[1].language)(language)
            for path, words in expected.items():
                reply = await rig.ask("GET", f"/console/{path}", login=login)
                assert words[at].replace("'", "&#x27;") in reply.text, (path, language)
                assert f'<html lang="{language}">' in reply.text


@ensureDeferred
async def test_the_language(tmp_path: Path) -> None:
    """By default what the browser asks for; once logged in, what was chosen."""
    async with console_rig(tmp_path) as rig:
        for asked, word in (("fr-FR,fr;q=0.9,en;q=0.8", "Connexion"), ("de,en;q=0.5", "Log in")):
            page = await rig.ask("GET", "/console/login", Accept_Language=asked)
            assert f"<h1>{word}</h1>" in page.text
        login = rig.login()
        form = {"language": "fr", "back": "/console/queue"}
        reply = await rig.ask("POST", "/console/language", login=login, form=form)
        assert reply.headers["location"] == "/console/queue"
        assert "File d&#x27;attente" in (await rig.ask("GET", "/console/queue", login=login)).text
        form = {"language": "en", "back": "//evil.example/console/"}
        reply = await rig.ask("POST", "/console/language", login=login, form=form)
        assert reply.headers["location"] == "/console/"


@ensureDeferred
async def test_live_numbers(tmp_path: Path) -> None:
    """One event and when to ask again; a partner's own login hears of its own alone."""
    async with console_rig(tmp_path, FakeJudges(NO_PACK)) as rig:
        await received(rig, "quarantined")
        reply = await rig.ask("GET", "/console/events", login=rig.login())
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert reply.text.startswith("retry: 5000\nevent: numbers\ndata: {")
        assert '"quarantine":1' in reply.text
        assert '"undetermined":1' in reply.text
        own = await rig.ask("GET", "/console/events", login=rig.login(Role.VIEWER, "other"))
        assert "quarantine" not in own.text
        assert '"undetermined":0' in own.text
