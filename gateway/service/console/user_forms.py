"""What an administrator may change of one login: a form for each, with the token of the session."""

from __future__ import annotations

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.service.console import new_password
from gateway.service.console.elements import choice, field, form, link
from gateway.service.console.visit import Visit
from gateway.service.console.words import ROLES
from gateway.service.journal.user_records import UserRow


def roles(visit: Visit) -> list[tuple[str, str]]:
    """Those there are, for a choice."""
    return [(role, words.to(visit.language)) for role, words in ROLES.items()]


def _named(row: UserRow) -> Html:
    return element("input", type="hidden", name="name", value=row.name)


def password_form(visit: Visit, row: UserRow, *, own: bool) -> list[Piece]:
    """Another password; one's own is changed elsewhere, for it takes the old one."""
    say = visit.say
    title = element("h2", say("Another password", "Changer de mot de passe"))
    if own:
        told = link(
            say("Your own: on the page of your login", "Le vôtre : sur votre page"), "/account"
        )
        return [title, element("p", told)]
    button = element("button", say("Change, and log out", "Changer et déconnecter"))
    return [
        title,
        form(
            visit,
            "/users/password",
            _named(row),
            *new_password.fields(visit),
            button,
            class_="card",
        ),
    ]


def role_form(visit: Visit, row: UserRow) -> list[Piece]:
    """Another role."""
    say = visit.say
    offered = [each for each in roles(visit) if not row.partner or each[0] != "administrator"]
    return [
        element("h2", say("Another role", "Changer de rôle")),
        form(
            visit,
            "/users/role",
            _named(row),
            choice(say("Role", "Rôle"), "role", offered, row.role),
            element("button", say("Change, and log out", "Changer et déconnecter")),
            class_="card",
        ),
    ]


def logout_form(visit: Visit, row: UserRow, sessions: int) -> list[Piece]:
    """The end of every session, where there is one."""
    say = visit.say
    if not sessions:
        return []
    button = element(
        "button", say("End all sessions", "Clore toutes les sessions"), class_="second"
    )
    return [
        element("h2", say("Log out", "Déconnecter")),
        form(visit, "/users/logout", _named(row), button),
    ]


def removal_form(visit: Visit, row: UserRow) -> list[Piece]:
    """No login any more: only whoever writes the name once more means it."""
    say = visit.say
    return [
        element("h2", say("Remove", "Supprimer")),
        form(
            visit,
            "/users/remove",
            _named(row),
            field(
                say("Name, once more", "Le nom, encore une fois"),
                "repeated",
                say(
                    "Nobody logs in by it any more. What was done by it stays in the audit.",
                    "Plus personne ne se connecte sous ce nom. Ce qui a été fait reste dans"
                    " l'audit.",
                ),
                required="",
                autocomplete="off",
                autocapitalize="none",
                spellcheck="false",
            ),
            element("button", say("Remove this login", "Supprimer ce compte")),
            class_="card",
        ),
    ]
