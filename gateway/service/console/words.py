"""Words of states, moments and lengths of time, as people of both languages read them."""

from __future__ import annotations

import datetime as dt
from typing import Final

from gateway.core.acknowledgement.markup import Html, element
from gateway.core.acknowledgement.page_words import number as grouped
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.verdict import Language, Text
from gateway.service.console.visit import Visit

NO_DAY: Final = Text(
    en="A day is written as 2026-03-01.", fr="Un jour s'écrit 01/03/2026 ou 2026-03-01."
)
"""Why a day cannot be taken as it was typed (`journal.search_words.typed_day`)."""
STATES: Final[dict[str, tuple[Text, str]]] = {
    InterchangeState.RECEIVED.value: (Text(en="received", fr="reçu"), ""),
    InterchangeState.OPENED.value: (Text(en="being judged", fr="en cours de contrôle"), ""),
    InterchangeState.JUDGED.value: (Text(en="judged", fr="contrôlé"), ""),
    InterchangeState.SETTLED.value: (
        Text(en="answer on its way", fr="réponse en cours d'envoi"),
        "",
    ),
    InterchangeState.ACKNOWLEDGED.value: (Text(en="answered", fr="répondu"), "good"),
    InterchangeState.REFUSED.value: (Text(en="refused", fr="refusé"), "bad"),
    InterchangeState.QUARANTINED.value: (Text(en="quarantined", fr="en quarantaine"), "warn"),
    DocumentState.EXTRACTED.value: (Text(en="waiting", fr="en attente"), ""),
    DocumentState.ACCEPTED.value: (Text(en="accepted", fr="accepté"), "good"),
    DocumentState.REJECTED.value: (Text(en="rejected", fr="rejeté"), "bad"),
    DocumentState.UNDETERMINED.value: (Text(en="undetermined", fr="indéterminé"), "warn"),
    DocumentState.PUBLISHED.value: (Text(en="published", fr="publié"), "good"),
    DocumentState.DISCARDED.value: (Text(en="set aside", fr="mis de côté"), "warn"),
    "pending": (Text(en="waiting", fr="en attente"), ""),
    "delivered": (Text(en="delivered", fr="remis"), "good"),
    "dead": (Text(en="given up", fr="abandonné"), "bad"),
}
HELD_BY_US: Final = Text(
    en="The gateway could not finish checking this; nothing has to be sent again.",
    fr="La passerelle n'a pas pu terminer le contrôle ; rien n'est à renvoyer.",
)
"""What a partner reads where an operator reads the cause: it speaks of our side."""
KINDS: Final = {
    "report": Text(en="report", fr="rapport"),
    "cdar": Text(en="status (CDAR)", fr="statut (CDAR)"),
    "mdn": Text(en="AS2 receipt (MDN)", fr="accusé AS2 (MDN)"),
    "document": Text(en="result", fr="résultat"),
    "event": Text(en="event", fr="événement"),
}


ROLES: Final = {
    "viewer": Text(en="viewer: may look", fr="lecteur : peut consulter"),
    "operator": Text(
        en="operator: may act on what waits", fr="opérateur : peut agir sur ce qui attend"
    ),
    "administrator": Text(
        en="administrator: may also decide who logs in",
        fr="administrateur : décide aussi qui se connecte",
    ),
}


def state_word(state: str, language: Language) -> tuple[str, str]:
    """The word for a state or verdict, and its tone: good, bad, warn or none."""
    found = STATES.get(state)
    return (state, "") if found is None else (found[0].to(language), found[1])


def role_words(visit: Visit, role: str) -> str:
    """What a role is called, and may do."""
    found = ROLES.get(role)
    return role if found is None else found.to(visit.language)


def moment(visit: Visit, when: dt.datetime | None) -> Html | str:
    """A point in time; browsers show it in the reader's own time zone, with UTC beside."""
    if when is None:
        return ""
    utc = when.astimezone(dt.UTC)
    shown = (
        f"{utc:%d/%m/%Y %H:%M:%S}" if visit.language is Language.FR else f"{utc:%Y-%m-%d %H:%M:%S}"
    )
    return element("time", f"{shown} UTC", datetime=f"{utc:%Y-%m-%dT%H:%M:%SZ}")


def age(language: Language, seconds: float) -> str:
    """A length of time: 42 s, 7 min, 3 h, 12 d."""
    seconds = max(0.0, seconds)
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 86_400)} {'j' if language is Language.FR else 'd'}"


def since(visit: Visit, now: dt.datetime, then: dt.datetime) -> str:
    """How long ago."""
    told = age(visit.language, (now - then).total_seconds())
    return visit.say(f"{told} ago", f"il y a {told}")


def count(visit: Visit, number: int) -> str:
    """A whole number."""
    return grouped(number, visit.language)


def size(visit: Visit, number: int) -> str:
    """Bytes, as people count them."""
    value, unit = float(number), 0
    while value >= 1000 and unit < 3:
        value, unit = value / 1000, unit + 1
    names = ("o", "ko", "Mo", "Go") if visit.language is Language.FR else ("B", "kB", "MB", "GB")
    text = f"{value:.0f}" if unit == 0 or value >= 100 else f"{value:.1f}"
    if visit.language is Language.FR:
        text = text.replace(".", ",")
    return f"{text}\N{NO-BREAK SPACE}{names[unit]}"
