"""Who may log in: for administrators. Adds people, and changes one of them at a time.

Everything is done by the commands of `edi-gateway user`, with their rules; a password comes in a
form, is hashed, and only the hash goes on.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from typing import Final
from urllib.parse import urlencode

import msgspec
from sqlalchemy import Connection

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.model.verdict import Text
from gateway.service.console import new_password, notices
from gateway.service.console.doing import do, done
from gateway.service.console.elements import choice, empty, facts, failure, field, form, link, table
from gateway.service.console.layout import page
from gateway.service.console.proving import Proving
from gateway.service.console.sources import Sources
from gateway.service.console.user_forms import (
    logout_form,
    password_form,
    removal_form,
    role_form,
    roles,
)
from gateway.service.console.users import NAME, Role
from gateway.service.console.visit import ROOT, Route, Visit, go_to
from gateway.service.console.words import count, moment, role_words
from gateway.service.http_server import Answer
from gateway.service.journal import user_records
from gateway.service.journal.user_records import UserRow

_NAME: Final = re.compile(NAME)
_NOT_REPEATED: Final = Text(
    en="To remove a login, write its name once more, exactly.",
    fr="Pour supprimer un compte, écrivez son nom encore une fois, exactement.",
)


class _Found(msgspec.Struct, frozen=True):
    users: list[UserRow]
    last: dict[str, dt.datetime]


def _look(conn: Connection) -> _Found:
    return _Found(user_records.all_users(conn), user_records.last_logins(conn))


class UsersPage:
    """The list, and the page of one."""

    def __init__(self, sources: Sources, proving: Proving) -> None:
        self._sources = sources
        self._proving = proving

    def routes(self) -> list[Route]:
        """What is answered here: for administrators alone."""
        pages = [
            ("GET", "", self.show),
            ("POST", "", self.add),
            ("GET", "/one", self.show_one),
            ("POST", "/password", self.password),
            ("POST", "/role", self.role),
            ("POST", "/logout", self.logout),
            ("POST", "/remove", self.remove),
        ]
        return [
            Route(method=method, path=f"{ROOT}/users{path}", page=each, role=Role.ADMINISTRATOR)
            for method, path, each in pages
        ]

    async def show(self, visit: Visit) -> Answer:
        """Everybody, and the form for another."""
        return await self._list_page(visit)

    async def add(self, visit: Visit) -> Answer:
        """Somebody new may log in."""
        name = visit.form.get("name", "").strip().lower()
        if _NAME.fullmatch(name) is None:
            words = visit.say(
                "A name begins with a letter or digit, and has at most 64 letters without accents,"
                " digits, and . _ @ -",
                "Un nom commence par une lettre ou un chiffre, et a au plus 64 lettres sans"
                " accent, chiffres, et . _ @ -",
            )
            return await self._list_page(visit, words)
        wrong = new_password.complaint(visit, name)
        if wrong:
            return await self._list_page(visit, wrong)
        await do(
            self._sources,
            visit,
            "user.add",
            name=name,
            role=visit.form.get("role", ""),
            partner=visit.form.get("partner", ""),
            password_hash=await self._proving.hashed(new_password.chosen(visit)),
        )
        return go_to(f"{ROOT}/users?done=user-added")

    async def show_one(self, visit: Visit) -> Answer:
        """One login, and what can be changed of it."""
        return await self._one_page(visit, visit.query.get("name", ""))

    async def password(self, visit: Visit) -> Answer:
        """Another password, which ends every session of that login."""
        name = visit.form.get("name", "")
        wrong = new_password.complaint(visit, name)
        if wrong:
            return await self._one_page(visit, name, wrong)
        hashed = await self._proving.hashed(new_password.chosen(visit))
        await do(self._sources, visit, "user.password", name=name, password_hash=hashed)
        return _back(name, "user-password")

    async def role(self, visit: Visit) -> Answer:
        """Another role, which ends every session of that login."""
        name, role = visit.form.get("name", ""), visit.form.get("role", "")
        await do(self._sources, visit, "user.role", name=name, role=role)
        return _back(name, "user-role")

    async def logout(self, visit: Visit) -> Answer:
        """End every session of that login."""
        name = visit.form.get("name", "")
        await do(self._sources, visit, "user.logout", name=name)
        return _back(name, "user-out")

    async def remove(self, visit: Visit) -> Answer:
        """That login is no more."""
        name = visit.form.get("name", "")
        if visit.form.get("repeated", "").strip() != name:
            return notices.invalid(visit.language, _NOT_REPEATED)
        await do(self._sources, visit, "user.remove", name=name)
        return go_to(f"{ROOT}/users?done=user-removed")

    # ---- the pages

    async def _list_page(self, visit: Visit, failed: str = "") -> Answer:
        found: _Found = await self._sources.reader.read("users", _look)
        say = visit.say
        pieces: list[Piece] = [done(visit), failure(failed)]
        if found.users:
            pieces.append(_table(visit, found, self._sources.sessions.numbers()))
        else:
            pieces.append(
                empty(
                    say(
                        "Nobody may log in any more but who is logged in now. Add somebody below,"
                        " an administrator first.",
                        "Plus personne ne peut se connecter, hors les sessions en cours. Ajoutez"
                        " quelqu'un ci-dessous, un administrateur d'abord.",
                    )
                )
            )
        if len(found.users) == user_records.MOST:
            pieces.append(
                element(
                    "p",
                    say(
                        f"The first {count(visit, user_records.MOST)} by name are shown.",
                        f"Les {count(visit, user_records.MOST)} premiers par nom sont affichés.",
                    ),
                )
            )
        pieces += [element("h2", say("Add somebody", "Ajouter un compte")), self._form(visit)]
        return page(visit, say("Users", "Utilisateurs"), *pieces, active="users")

    async def _one_page(self, visit: Visit, name: str, failed: str = "") -> Answer:
        found: _Found = await self._sources.reader.read("users", lambda conn: _one(conn, name))
        if not found.users:
            return notices.no_user(visit.language)
        (row,), say = found.users, visit.say
        own = row.name == visit.login.user
        sessions = self._sources.sessions.numbers()[row.name]
        pieces: list[Piece] = [
            element("p", link(say("All users", "Tous les utilisateurs"), "/users")),
            done(visit),
            failure(failed),
            facts(
                [
                    (say("Role", "Rôle"), role_words(visit, row.role)),
                    (say("Partner", "Partenaire"), row.partner or say("all", "tous")),
                    (say("Added", "Ajouté"), moment(visit, row.created_at)),
                    (say("Password of", "Mot de passe du"), moment(visit, row.changed_at)),
                    (
                        say("Last login", "Dernière connexion"),
                        moment(visit, found.last.get(row.name)) or say("never", "jamais"),
                    ),
                    (say("Sessions now", "Sessions en cours"), count(visit, sessions)),
                ]
            ),
            *password_form(visit, row, own=own),
            *role_form(visit, row),
            *logout_form(visit, row, sessions),
            *removal_form(visit, row),
        ]
        return page(visit, row.name, *pieces, active="users")

    def _form(self, visit: Visit) -> Html:
        say, filled = visit.say, visit.form
        partners = [(each, each) for each in sorted(self._sources.partners)]
        return form(
            visit,
            "/users",
            field(
                say("Name", "Nom"),
                "name",
                value=filled.get("name") or None,
                required="",
                maxlength="64",
                autocomplete="off",
                autocapitalize="none",
                spellcheck="false",
            ),
            choice(say("Role", "Rôle"), "role", roles(visit), filled.get("role", Role.VIEWER.word)),
            choice(
                say("Sees only this partner", "Ne voit que ce partenaire"),
                "partner",
                [("", say("sees all", "voit tout")), *partners],
                filled.get("partner", ""),
            ),
            *new_password.fields(visit),
            element("button", say("Add", "Ajouter")),
            class_="card",
        )


def _one(conn: Connection, name: str) -> _Found:
    row = user_records.user_named(conn, name)
    return _Found([] if row is None else [row], user_records.last_logins(conn, name))


def _back(name: str, told: str) -> Answer:
    return go_to(f"{ROOT}/users/one?{urlencode({'name': name, 'done': told})}")


def _table(visit: Visit, found: _Found, sessions: Counter[str]) -> Html:
    say = visit.say
    return table(
        say("By name", "Par nom"),
        [
            say("Name", "Nom"),
            say("Role", "Rôle"),
            say("Partner", "Partenaire"),
            say("Last login", "Dernière connexion"),
            say("Sessions now", "Sessions en cours"),
            say("Password of", "Mot de passe du"),
        ],
        [
            [
                link(row.name, f"/users/one?{urlencode({'name': row.name})}"),
                role_words(visit, row.role),
                row.partner or say("all", "tous"),
                moment(visit, found.last.get(row.name)) or say("never", "jamais"),
                count(visit, sessions[row.name]),
                moment(visit, row.changed_at),
            ]
            for row in found.users
        ],
    )
