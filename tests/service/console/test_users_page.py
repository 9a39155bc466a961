"""Users in the console: for administrators, by the rules of the command, never a password shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from gateway.errors import GatewayError
from gateway.service.console import passwords
from gateway.service.console.users import Role
from gateway.service.journal import user_records
from gateway.service.journal.audit_records import Outcome, deeds
from gateway.service.journal.user_records import UserRow
from tests.service.console.rig import PASSWORD, QUICK, ConsoleRig, console_rig

NEW = "five <very> unrelated words more"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real Argon2id, without its price."""
    monkeypatch.setattr(passwords, "_hasher", QUICK)


async def user(rig: ConsoleRig, name: str) -> UserRow | None:
    """As the journal has it."""
    row: UserRow | None = await rig.house.journal.read(
        "t", lambda conn: user_records.user_named(conn, name)
    )
    return row


async def log_in(rig: ConsoleRig, name: str, password: str) -> int:
    """What the login page answers: 303 in, 401 not."""
    page = await rig.ask("GET", "/console/login")
    form = {"name": name, "password": password, "token": page.field("token")}
    return (await rig.ask("POST", "/console/login", form=form, cookies=page.cookies)).status


ADDED = {"name": "bob", "role": "operator", "partner": "", "new": NEW, "again": NEW}


@ensureDeferred
async def test_somebody_new(tmp_path: Path) -> None:
    """May log in at once; the audit says who added whom; the password is nowhere but hashed."""
    async with console_rig(tmp_path) as rig:
        login = rig.login(user="ada")
        form = {**ADDED, "name": " Bob ", "role": "viewer", "partner": "acme"}
        reply = await rig.ask("POST", "/console/users", login=login, form=form)
        assert reply.headers["location"] == "/console/users?done=user-added"
        row = await user(rig, "bob")
        assert row is not None
        assert (row.role, row.partner) == ("viewer", "acme")
        assert row.password_hash.startswith("$argon2id$")
        assert await log_in(rig, "bob", NEW) == 303
        rows = await rig.house.journal.read("t", lambda conn: deeds(conn, limit=9))
        assert [(deed.by, deed.action) for deed in rows] == [("bob", "login"), ("ada", "user.add")]
        assert rows[1].subject == "name bob, role viewer, partner acme"
        page = await rig.ask("GET", "/console/users", login=login)
        assert '<a href="/console/users/one?name=bob">bob</a>' in page.text
        assert "never" not in page.text
        written = page.text + "".join(map(str, rows)) + "".join(map(str, rig.said.calls))
        for secret in ("unrelated words", "argon2"):
            assert secret not in written
        assert NEW.encode() not in (tmp_path / "journal.sqlite").read_bytes()


@ensureDeferred
async def test_what_will_not_do(tmp_path: Path) -> None:
    """The rules of the command: names, passwords, partners, roles; what was typed is not lost."""
    async with console_rig(tmp_path) as rig:
        login = rig.login()
        wrong = {
            "A name begins with": {"name": "Jéanne d'Arc"},
            "are not the same": {"again": NEW + "!"},
            "A password has at least": {"new": "short", "again": "short"},
            "easily guessed": {"new": "bob bob bob bob", "again": "bob bob bob bob"},
        }
        for words, changed in wrong.items():
            form = {**ADDED, **changed}
            reply = await rig.ask("POST", "/console/users", login=login, form=form)
            assert (reply.status, words in reply.text) == (200, True), words
            assert 'role="alert"' in reply.text
            assert "unrelated words" not in reply.text
        assert 'value="bob"' in reply.text
        assert '<option value="operator" selected="">' in reply.text
        refused = [
            {"role": "administrator", "partner": "acme"},
            {"partner": "nobody"},
            {"role": "king"},
        ]
        for changed in refused:
            form = {**ADDED, **changed}
            reply = await rig.ask("POST", "/console/users", login=login, form=form)
            assert reply.status == 409, changed
        assert await user(rig, "bob") is None
        await rig.add("bob")
        assert (await rig.ask("POST", "/console/users", login=login, form=ADDED)).status == 409
        row = await user(rig, "bob")
        assert row is not None
        assert passwords.matches(row.password_hash, PASSWORD)


@ensureDeferred
async def test_another_password_ends_sessions(tmp_path: Path) -> None:
    """The old one is of no use any more, and whoever was logged in by it is not."""
    async with console_rig(tmp_path) as rig:
        await rig.add("bob")
        theirs, login = rig.login(Role.OPERATOR, user="bob"), rig.login(user="ada")
        page = await rig.ask("GET", "/console/users/one?name=bob", login=login)
        assert "End all sessions" in page.text
        bad = {"name": "bob", "new": NEW, "again": "something else"}
        reply = await rig.ask("POST", "/console/users/password", login=login, form=bad)
        assert "are not the same" in reply.text
        assert (await rig.ask("GET", "/console/queue", login=theirs)).status == 200
        good = {"name": "bob", "new": NEW, "again": NEW}
        reply = await rig.ask("POST", "/console/users/password", login=login, form=good)
        assert reply.headers["location"] == "/console/users/one?name=bob&done=user-password"
        gone = await rig.ask("GET", "/console/queue", login=theirs)
        assert gone.headers["location"] == "/console/login"
        assert await log_in(rig, "bob", PASSWORD) == 401
        assert await log_in(rig, "bob", NEW) == 303


@ensureDeferred
async def test_another_role_ends_sessions(tmp_path: Path) -> None:
    """A session with the rights of before is no more; logging in again gives those of now."""
    async with console_rig(tmp_path) as rig:
        await rig.add("bob", Role.ADMINISTRATOR)
        await rig.add("ada", Role.ADMINISTRATOR)
        theirs, login = rig.login(user="bob"), rig.login(user="ada")
        form = {"name": "bob", "role": "viewer"}
        reply = await rig.ask("POST", "/console/users/role", login=login, form=form)
        assert reply.headers["location"] == "/console/users/one?name=bob&done=user-role"
        assert rig.sessions.find(theirs[0]) is None
        page = await rig.ask("GET", "/console/users/one?name=bob&done=user-role", login=login)
        assert "viewer: may look" in page.text
        assert await log_in(rig, "bob", PASSWORD) == 303
        (session,) = [each for each in rig.sessions._by_key.values() if each.user == "bob"]
        assert session.role is Role.VIEWER


@ensureDeferred
async def test_a_role_changed_while_somebody_logs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the password and the session: nobody gets the rights of before."""
    async with console_rig(tmp_path) as rig:
        await rig.add("bob", Role.ADMINISTRATOR)
        read, looks = rig.sources.reader.read, []

        async def slow(name: str, work: Any) -> Any:
            looks.append(name)
            if looks.count("login") == 2:  # the password was right
                await rig.house.journal.write(
                    "t", lambda conn: user_records.set_role(conn, "bob", "viewer")
                )
            return await read(name, work)

        monkeypatch.setattr(rig.sources.reader, "read", slow)
        assert await log_in(rig, "bob", PASSWORD) == 401
        assert looks == ["login", "login"]
        assert len(rig.sessions) == 0
        assert await log_in(rig, "bob", PASSWORD) == 303


@ensureDeferred
async def test_logged_out_by_an_administrator(tmp_path: Path) -> None:
    """Every session of theirs and nobody else's; the login itself stays."""
    async with console_rig(tmp_path) as rig:
        await rig.add("bob")
        theirs = [rig.login(Role.OPERATOR, user="bob") for _ in range(2)]
        login = rig.login(user="ada")
        reply = await rig.ask("POST", "/console/users/logout", login=login, form={"name": "bob"})
        assert reply.status == 303
        assert [rig.sessions.find(token) for token, _ in theirs] == [None, None]
        assert rig.sessions.find(login[0]) is not None
        (deed,) = await rig.house.journal.read("t", lambda conn: deeds(conn, limit=9))
        assert (deed.action, deed.said) == ("user.logout", "name bob, sessions 2")
        assert await log_in(rig, "bob", PASSWORD) == 303


@ensureDeferred
async def test_removed(tmp_path: Path) -> None:
    """Only when its name was written once more; then nobody is logged in by it, or logs in."""
    async with console_rig(tmp_path) as rig:
        await rig.add("bob")
        theirs, login = rig.login(Role.OPERATOR, user="bob"), rig.login(user="ada")
        path = "/console/users/remove"
        for repeated in ("", "Bob", "ada"):
            form = {"name": "bob", "repeated": repeated}
            assert (await rig.ask("POST", path, login=login, form=form)).status == 400
        assert await user(rig, "bob") is not None
        form = {"name": "bob", "repeated": "bob"}
        reply = await rig.ask("POST", path, login=login, form=form)
        assert reply.headers["location"] == "/console/users?done=user-removed"
        assert await user(rig, "bob") is None
        assert rig.sessions.find(theirs[0]) is None
        assert await log_in(rig, "bob", PASSWORD) == 401
        assert (await rig.ask("POST", path, login=login, form=form)).status == 409
        one = await rig.ask("GET", "/console/users/one?name=bob", login=login)
        assert one.status == 404


@ensureDeferred
async def test_the_last_administrator_stays(tmp_path: Path) -> None:
    """Neither removed nor made less, by no door; with another one, both may be done."""
    async with console_rig(tmp_path) as rig:
        await rig.add("ada", Role.ADMINISTRATOR)
        await rig.add("bob", Role.OPERATOR)
        login = rig.login(user="ada")
        attempts = {
            "remove": {"name": "ada", "repeated": "ada"},
            "role": {"name": "ada", "role": "operator"},
        }
        for path, form in attempts.items():
            reply = await rig.ask("POST", f"/console/users/{path}", login=login, form=form)
            assert reply.status == 409, path
            assert "is the last administrator" in reply.text
        assert rig.sessions.find(login[0]) is not None
        for handler, arguments in (
            (rig.users.remove, {"name": "ada"}),
            (rig.users.role, {"name": "ada", "role": "viewer"}),
        ):
            with pytest.raises(GatewayError, match="last administrator"):
                await handler(arguments)
        row = await user(rig, "ada")
        assert row is not None
        assert row.role == "administrator"
        outcomes = [
            deed.outcome
            for deed in await rig.house.journal.read("t", lambda conn: deeds(conn, limit=9))
        ]
        assert outcomes == [Outcome.REFUSED, Outcome.REFUSED]
        assert await rig.users.role({"name": "ada", "role": "administrator"})
        await rig.users.role({"name": "bob", "role": "administrator"})
        await rig.users.remove({"name": "ada"})
        with pytest.raises(GatewayError, match="last administrator"):
            await rig.users.remove({"name": "bob"})


@ensureDeferred
async def test_a_partners_login_is_no_administrator(tmp_path: Path) -> None:
    """Not by a change of role either; its page does not offer it."""
    async with console_rig(tmp_path) as rig:
        await rig.add("desk", Role.VIEWER, "acme")
        login = rig.login(user="ada")
        page = await rig.ask("GET", "/console/users/one?name=desk", login=login)
        assert 'value="operator"' in page.text
        assert 'value="administrator"' not in page.text
        form = {"name": "desk", "role": "administrator"}
        reply = await rig.ask("POST", "/console/users/role", login=login, form=form)
        assert reply.status == 409


@ensureDeferred
async def test_for_administrators_alone(tmp_path: Path) -> None:
    """No operator, no partner's login, nothing without the token; nothing is changed by trying."""
    async with console_rig(tmp_path) as rig:
        await rig.add("ada", Role.ADMINISTRATOR)
        await rig.add("bob", Role.OPERATOR)
        form = {**ADDED, "name": "bob", "role": "administrator", "repeated": "bob"}
        routes = [each for each in rig.routes if each.path.startswith("/console/users")]
        assert len(routes) == 7
        admin = rig.login(user="ada")
        for route in routes:
            path = f"{route.path}?name=bob"
            for refused in (
                rig.login(Role.OPERATOR, user="bob"),
                rig.login(Role.VIEWER, user="bob"),
                rig.login(Role.ADMINISTRATOR, "acme", "desk"),
            ):
                reply = await rig.ask(route.method, path, login=refused, form=form)
                assert reply.status == 403, route
                assert "ada" not in reply.text
            nobody = await rig.ask(route.method, path, form=form)
            assert nobody.status in (303, 401)
            if route.method == "POST":
                bare = await rig.ask("POST", path, login=admin, form=form, token=False)
                assert bare.status == 403, route
                foreign = await rig.ask(
                    "POST", path, login=admin, form=form, Origin="https://evil.example"
                )
                assert foreign.status == 403, route
        row = await user(rig, "bob")
        assert row is not None
        assert row.role == "operator"
        assert passwords.matches(row.password_hash, PASSWORD)
        home = await rig.ask("GET", "/console/", login=rig.login(Role.OPERATOR))
        assert "/console/users" not in home.text
        assert "/console/users" in (await rig.ask("GET", "/console/", login=admin)).text


@ensureDeferred
async def test_ones_own_password_takes_the_old_one(tmp_path: Path) -> None:
    """An administrator's own page leads to where the old password is asked for."""
    async with console_rig(tmp_path) as rig:
        await rig.add("ada", Role.ADMINISTRATOR)
        page = await rig.ask("GET", "/console/users/one?name=ada", login=rig.login(user="ada"))
        assert 'href="/console/account"' in page.text
        assert "/console/users/password" not in page.text
