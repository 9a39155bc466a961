"""Logging in: passwords, sessions, tokens, guessing."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred

from gateway.errors import ConfigurationError
from gateway.service.console import passwords
from gateway.service.console.users import Role
from gateway.service.journal.audit_records import deeds
from tests.service.console.rig import PASSWORD, ConsoleRig, Reply, console_rig


async def log_in(
    rig: ConsoleRig, name: str = "ada", password: str = PASSWORD, **more: str
) -> Reply:
    """As a browser: load the page, send its form."""
    page = await rig.ask("GET", "/console/login", **more)
    assert page.status == 200
    form = {"token": page.field("token"), "name": name, "password": password}
    return await rig.ask("POST", "/console/login", form=form, cookies=page.cookies, **more)


@ensureDeferred
async def test_the_right_password_begins_a_session(tmp_path: Path) -> None:
    """Its cookie is for this site's own requests only; the audit has a line."""
    async with console_rig(tmp_path) as rig:
        await rig.add("ada")
        reply = await log_in(rig, " ADA ")
        assert (reply.status, reply.headers["location"]) == (303, "/console/")
        cookie = next(v for n, v in reply.answer.headers if v.startswith("edi-session="))
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Secure" not in cookie
        page = await rig.ask("GET", "/console/", cookies=reply.cookies)
        assert page.status == 200
        rows = await rig.house.journal.read("t", lambda conn: deeds(conn, limit=10))
        assert [(row.by, row.action, row.via) for row in rows] == [("ada", "login", "console")]


@ensureDeferred
async def test_over_tls_the_cookie_is_tied_to_it(tmp_path: Path) -> None:
    """Secure, and by its name nobody else's to set."""
    async with console_rig(tmp_path) as rig:
        await rig.add("ada")
        page = await rig.ask("GET", "/console/login", secure=True)
        form = {"token": page.field("token"), "name": "ada", "password": PASSWORD}
        reply = await rig.ask(
            "POST", "/console/login", form=form, cookies=page.cookies, secure=True
        )
        cookie = next(v for n, v in reply.answer.headers if v.startswith("__Host-edi-session="))
        assert "; Secure" in cookie
        assert "Path=/;" in cookie


@ensureDeferred
async def test_wrong_passwords_and_unknown_names_look_alike(tmp_path: Path) -> None:
    """The same answer; what was typed as password is in none, nor in the log."""
    async with console_rig(tmp_path) as rig:
        await rig.add("ada")
        wrong = await log_in(rig, password="something else entirely")
        unknown = await log_in(rig, "nobody")
        assert wrong.status == unknown.status == 401
        strip = [reply.text.replace(reply.field("token"), "") for reply in (wrong, unknown)]
        assert strip[0].replace('value="ada"', "") == strip[1].replace('value="nobody"', "")
        assert "something else entirely" not in wrong.text + str(rig.said.calls)
        assert len(rig.sessions) == 0


@ensureDeferred
async def test_guessing_is_slowed_down(tmp_path: Path) -> None:
    """After some failures an address is not listened to for a while, even with the right one."""
    async with console_rig(tmp_path) as rig:
        await rig.add("ada")
        for _ in range(5):
            assert (await log_in(rig, password="wrong wrong wrong")).status == 401
        assert (await log_in(rig)).status == 429
        assert (await log_in(rig, peer="198.51.100.7")).status == 303
        rig.clock.advance(400)
        assert (await log_in(rig)).status == 303


@ensureDeferred
async def test_a_login_form_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Its token belongs to the cookie of the browser the page was made for."""
    async with console_rig(tmp_path) as rig:
        await rig.add("ada")
        mine, theirs = [await rig.ask("GET", "/console/login") for _ in range(2)]
        form = {"token": mine.field("token"), "name": "ada", "password": PASSWORD}
        assert (await rig.ask("POST", "/console/login", form=form)).status == 403
        reply = await rig.ask("POST", "/console/login", form=form, cookies=theirs.cookies)
        assert reply.status == 403
        assert len(rig.sessions) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example", "Host": "gateway"},
        {"Origin": "null", "Host": "gateway"},
    ],
)
@ensureDeferred
async def test_what_another_site_sends_is_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    """Whatever session and token it shows."""
    async with console_rig(tmp_path) as rig:
        login = rig.login()
        form = {"partner": "acme", "reason": "x"}
        reply = await rig.ask("POST", "/console/holds", login=login, form=form, **headers)
        assert reply.status == 403
        fine = await rig.ask(
            "POST",
            "/console/holds",
            login=login,
            form=form,
            Sec_Fetch_Site="same-origin",
            Origin="http://gateway",
            Host="gateway",
        )
        assert fine.status == 303


@ensureDeferred
async def test_every_post_needs_the_token_of_its_session(tmp_path: Path) -> None:
    """None, another session's, or that of an upload: nothing is done."""
    async with console_rig(tmp_path) as rig:
        login, other = rig.login(), rig.login()
        posts = [r for r in rig.routes if r.method == "POST" and not r.open and not r.upload]
        assert len(posts) >= 9
        for route in posts:
            path = route.path.replace("{interchange}", "0197d5a0-0000-7000-8000-000000000000")
            path = path.replace("{name}", "somebody")
            for shown in ("", other[1].token(), login[1].token("upload")):
                form = {"token": shown, "partner": "acme", "reason": "x"}
                reply = await rig.ask("POST", path, login=login, form=form, token=False)
                assert reply.status == 403, route
        rows = await rig.house.journal.read("t", lambda conn: deeds(conn, limit=10))
        assert rows == []


@ensureDeferred
async def test_a_session_ends(tmp_path: Path) -> None:
    """Unused for half an hour; after twelve hours in any case; live numbers are no use of it."""
    async with console_rig(tmp_path) as rig:
        login = rig.login()
        for _ in range(4):
            rig.clock.advance(29 * 60)
            assert (await rig.ask("GET", "/console/account", login=login)).status == 200
        rig.clock.advance(29 * 60)
        assert (await rig.ask("GET", "/console/events", login=login)).status == 200
        rig.clock.advance(2 * 60)
        assert (await rig.ask("GET", "/console/events", login=login)).status == 401
        login = rig.login()
        for _ in range(24):
            rig.clock.advance(29 * 60)
            assert (await rig.ask("GET", "/console/account", login=login)).status == 200
        rig.clock.advance(29 * 60)
        assert (await rig.ask("GET", "/console/account", login=login)).status == 303


@ensureDeferred
async def test_logging_out(tmp_path: Path) -> None:
    """The session is gone, not only its cookie."""
    async with console_rig(tmp_path) as rig:
        login = rig.login()
        reply = await rig.ask("POST", "/console/logout", login=login)
        assert (reply.status, reply.cookies) == (303, {"edi-session": ""})
        assert (await rig.ask("GET", "/console/", login=login)).status == 303


@ensureDeferred
async def test_another_password_ends_other_sessions(tmp_path: Path) -> None:
    """Every one of that name but the one it was changed in, which goes on by a new token."""
    async with console_rig(tmp_path) as rig:
        await rig.add("ada")
        here, elsewhere = [(await log_in(rig)).cookies for _ in range(2)]
        page = await rig.ask("GET", "/console/account", cookies=here)
        new = "five words nobody has guessed"
        form = {"token": page.field("token"), "old": PASSWORD, "new": new, "again": new}
        wrong = {**form, "old": "not the old one at all"}
        refused = await rig.ask("POST", "/console/account", cookies=here, form=wrong)
        assert "The old password is wrong." in refused.text
        changed = await rig.ask("POST", "/console/account", cookies=here, form=form)
        assert changed.status == 303
        for cookies in (here, elsewhere):
            assert (await rig.ask("GET", "/console/account", cookies=cookies)).status == 303
        assert (await rig.ask("GET", "/console/account", cookies=changed.cookies)).status == 200
        assert (await log_in(rig)).status == 401
        assert (await log_in(rig, password=new)).status == 303


@ensureDeferred
async def test_who_is_removed_is_logged_out(tmp_path: Path) -> None:
    """At once."""
    async with console_rig(tmp_path) as rig:
        await rig.add("ada", Role.ADMINISTRATOR)
        await rig.add("bob", Role.ADMINISTRATOR)
        cookies = (await log_in(rig)).cookies
        await rig.users.remove({"name": "ada"})
        assert (await rig.ask("GET", "/console/", cookies=cookies)).status == 303


@ensureDeferred
async def test_what_every_answer_forbids_the_browser(tmp_path: Path) -> None:
    """No inline script or style, no frame, no guessing of types, nothing kept: on every page."""
    async with console_rig(tmp_path) as rig:
        for path in ("/console/login", "/console/", "/console/queue", "/console/nothing"):
            reply = await rig.ask("GET", path, login=rig.login())
            policy = reply.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe-inline" not in policy
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["referrer-policy"] == "same-origin"
            assert reply.headers["cache-control"] == "no-store"
            assert "<style" not in reply.text
            assert " style=" not in reply.text
            assert " onclick" not in reply.text


@ensureDeferred
async def test_while_the_gateway_starts(tmp_path: Path) -> None:
    """Nobody logs in, no page reads a journal that may not be there; it says so."""
    async with console_rig(tmp_path) as rig:
        await rig.add("ada")
        rig.why_not = "The gateway is starting or stopping."
        assert (await log_in(rig)).status == 503
        reply = await rig.ask("GET", "/console/queue", login=rig.login())
        assert reply.status == 503
        assert rig.why_not in reply.text


@pytest.mark.parametrize(
    "password", ["short", "aaaaaaaaaaaaaaaa", "my name is ada, is it", "x" * 2000]
)
def test_passwords_that_will_not_do(password: str) -> None:
    """Too short, too simple, with the name in it, too long: each says what helps."""
    with pytest.raises(ConfigurationError) as caught:
        passwords.check(password, "ada")
    assert caught.value.remedy


def test_only_a_hash_is_kept() -> None:
    """Argon2id with its own salt each time; another password, or nonsense, does not match."""
    kept = passwords.hashed(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert passwords.hashed(PASSWORD) != kept
    assert passwords.matches(kept, PASSWORD)
    assert not passwords.matches(kept, PASSWORD + "x")
    assert not passwords.matches("no hash at all", PASSWORD)
