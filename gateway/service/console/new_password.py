"""The part of a form that takes a new password, twice; one's own or somebody else's."""

from __future__ import annotations

from gateway.core.acknowledgement.markup import Html
from gateway.errors import ConfigurationError
from gateway.service.console import passwords
from gateway.service.console.elements import field
from gateway.service.console.visit import Visit


def fields(visit: Visit) -> list[Html]:
    """Both lines to fill in; they are never filled in by us."""
    say, most = visit.say, passwords.MIN_LETTERS
    return [
        field(
            say("New password", "Nouveau mot de passe"),
            "new",
            say(
                f"At least {most} letters: a few words that do not belong together.",
                f"Au moins {most} caractères : quelques mots qui ne vont pas ensemble.",
            ),
            type="password",
            autocomplete="new-password",
            required="",
        ),
        field(
            say("New password, once more", "Nouveau mot de passe, encore une fois"),
            "again",
            type="password",
            autocomplete="new-password",
            required="",
        ),
    ]


def chosen(visit: Visit) -> str:
    """What was filled in."""
    return visit.form.get("new", "")


def complaint(visit: Visit, name: str) -> str:
    """Why what was filled in will not do as the password of `name`; "" when it will."""
    if chosen(visit) != visit.form.get("again", ""):
        return visit.say(
            "The two new passwords are not the same.", "Les deux nouveaux mots de passe diffèrent."
        )
    try:
        passwords.check(chosen(visit), name)
    except ConfigurationError as error:
        return visit.say(
            f"{error.what} {error.remedy}",
            f"Choisissez au moins {passwords.MIN_LETTERS} caractères, sans répéter les mêmes et"
            " sans le nom du compte : quelques mots qui ne vont pas ensemble.",
        )
    return ""
