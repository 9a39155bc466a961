"""What the rules to come would reject: versions that are installed and not in force yet.

Trying them is a replay of many that nobody commits: what was accepted in the last days is judged
by the rules of the day on which they begin.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final, NamedTuple

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.model.verdict import Text
from gateway.service.console.elements import choice, field, form
from gateway.service.console.visit import Visit

MOST_DAYS: Final = 90
DAYS: Final = 30
"""So many days are looked back unless somebody says otherwise."""
BAD_DAYS: Final = Text(
    en=f"Look back from 1 to {MOST_DAYS} days.", fr=f"Remontez de 1 à {MOST_DAYS} jours."
)
NOT_COMING: Final = Text(
    en="No version begins on that day any more. Load the page of the rules again.",
    fr="Aucune version ne débute plus ce jour-là. Rechargez la page des règles.",
)


class Coming(NamedTuple):
    """A day on which versions begin, and which, as people call them."""

    day: dt.date
    versions: tuple[str, ...]


def coming_of(versions: Iterable[tuple[dt.date | None, str]], today: dt.date) -> list[Coming]:
    """The days to come on which some of these begin, the next first."""
    days: dict[dt.date, list[str]] = {}
    for begins, name in versions:
        if begins is not None and begins > today:
            days.setdefault(begins, []).append(name)
    return [Coming(day, tuple(days[day])) for day in sorted(days)]


def chosen_of(visit: Visit, coming: Iterable[Coming], today: dt.date) -> dict[str, str] | Text:
    """What the form asks for, as arguments of `replays.make`; or what is wrong with it."""
    text = visit.form.get("days", "").strip()
    days = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    if not 1 <= days <= MOST_DAYS:
        return BAD_DAYS
    day = visit.form.get("day", "")
    if day not in [each.day.isoformat() for each in coming]:
        return NOT_COMING
    since = today - dt.timedelta(days=days)
    return {"verdict": "accepted", "since": since.isoformat(), "rules": day}


def next_rules(visit: Visit, coming: list[Coming]) -> list[Piece]:
    """The form; or, where nothing is to come, how to get a version that is."""
    say = visit.say
    title = element(
        "h2", say("What would the next version reject?", "Que rejetterait la version suivante ?")
    )
    if not coming:
        return [title, _how_to_install(visit)]
    return [
        title,
        element(
            "p",
            say(
                "What was accepted in the last days is judged again by the rules of the day you"
                " choose. Nothing is written, and nobody is told: you see how many documents would"
                " be rejected, by rule and by partner, with examples.",
                "Ce qui a été accepté ces derniers jours est contrôlé à nouveau d'après les règles"
                " du jour choisi. Rien n'est écrit, personne n'en est informé : vous voyez combien"
                " de documents seraient rejetés, par règle et par partenaire, avec des exemples.",
            ),
        ),
        form(
            visit,
            "/rules/next",
            choice(
                say("Rules that begin on", "Règles qui débutent le"),
                "day",
                [(f"{each.day}", f"{each.day}: {', '.join(each.versions)}") for each in coming],
            ),
            field(
                say("Days to look back", "Jours à remonter"),
                "days",
                type="number",
                min="1",
                max=str(MOST_DAYS),
                value=str(DAYS),
                required="",
            ),
            element("button", say("Try them", "Les essayer")),
            class_="card",
        ),
    ]


def _how_to_install(visit: Visit) -> Html:
    command = "edi-gateway rules import FILE --name PACK --valid-from DATE"
    return element(
        "p",
        visit.say(
            "No version is installed that begins later than today. Install one with the day on"
            " which it begins, then come back here: ",
            "Aucune version installée ne débute après aujourd'hui. Installez-en une avec son"
            " premier jour, puis revenez ici : ",
        ),
        element("code", command),
        class_="empty",
    )
