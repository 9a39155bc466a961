"""How a page has something done: by the command of the control socket, and never unaudited."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.core.acknowledgement.markup import Html, element
from gateway.model.verdict import Text
from gateway.service.console.sources import Sources
from gateway.service.console.visit import Visit
from gateway.service.control import CommandRefused

_TAKES_BY: Final = frozenset(
    {"hold", "resume", "resend", "resend.dead", "replays.make", "replays.run", "replays.stop"}
)
"""Commands that keep the name of whoever gives them in a place of their own."""

_DONE: Final = {
    "released": Text(
        en="Released: it is being judged again, with all its attempts.",
        fr="Libéré : le contrôle reprend, avec tous ses essais.",
    ),
    "discarded": Text(
        en="Set aside for good. Its sender reads your reason.",
        fr="Mis de côté définitivement. Son expéditeur lit votre motif.",
    ),
    "replayed": Text(
        en="Judged again: the new verdicts and a new report follow.",
        fr="Nouveau contrôle en cours : les nouveaux verdicts et un nouveau rapport suivent.",
    ),
    "resent": Text(en="The report is sent once more.", fr="Le rapport est envoyé à nouveau."),
    "held": Text(
        en="Held: nothing of it is sent until you resume it.",
        fr="Suspendu : rien n'en part avant la reprise.",
    ),
    "resumed": Text(
        en="Resumed: what waited is sent now.", fr="Repris : ce qui attendait part maintenant."
    ),
    "sent": Text(
        en="Received. Its verdict appears below as soon as it is there.",
        fr="Reçu. Son verdict apparaît ci-dessous dès qu'il est prêt.",
    ),
    "user-added": Text(
        en="They may log in now. Hand name and password over by a way nobody else reads.",
        fr="La connexion est possible. Transmettez nom et mot de passe par une voie que personne"
        " d'autre ne lit.",
    ),
    "user-password": Text(
        en="The password is changed, and every session of that login has ended.",
        fr="Le mot de passe est changé, et toutes les sessions de ce compte sont closes.",
    ),
    "user-role": Text(
        en="The role is changed, and every session of that login has ended.",
        fr="Le rôle est changé, et toutes les sessions de ce compte sont closes.",
    ),
    "user-out": Text(
        en="Every session of that login has ended.",
        fr="Toutes les sessions de ce compte sont closes.",
    ),
    "user-removed": Text(
        en="Nobody logs in by that name any more, and whoever was, is logged out.",
        fr="Plus personne ne se connecte sous ce nom, et qui l'était ne l'est plus.",
    ),
    "unchanged": Text(
        en="It was like this already; nothing was changed.",
        fr="C'était déjà le cas ; rien n'a changé.",
    ),
}


async def do(sources: Sources, visit: Visit, command: str, **arguments: Any) -> dict[str, Any]:
    """What the command answers. Raises `GatewayError` with what it says to people."""
    if command in _TAKES_BY:
        arguments["by"] = visit.login.user
    handler = sources.commands[command]
    try:
        return await sources.audit.carry_out(visit.who, command, arguments, handler)
    except msgspec.ValidationError as error:
        raise CommandRefused(f"{error}.", remedy="Fill the form in again.") from error


def done(visit: Visit) -> Html | None:
    """What was done just now, after the page that did it led here."""
    said = _DONE.get(visit.query.get("done", ""))
    if said is None:
        return None
    return element("p", said.to(visit.language), class_="done", role="status")
