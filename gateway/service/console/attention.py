"""What needs a human, in words: the reason, since when, and where to act on it."""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec
from sqlalchemy import Connection

from gateway.core.acknowledgement.markup import Html, element
from gateway.service.console.elements import lines, link
from gateway.service.console.partners_page import SOON_DAYS
from gateway.service.console.sources import Sources
from gateway.service.console.visit import Visit
from gateway.service.console.words import count, since
from gateway.service.journal.alert_records import AlertRow, alerts_on
from gateway.service.journal.delivery_records import Circuit, Hold, holds_in_force, open_circuits
from gateway.service.journal.queue_records import Late, dead_number, late_interchanges
from gateway.service.journal.standing_records import Overdue, quarantined

LATE: Final = 50
_SHOWN: Final = 10


_ALERTED: Final = frozenset({"depth", "age", "rejections", "sla", "mdn", "disk"})
"""Kinds of alerts that say what nothing else here does."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal says of it."""

    alerts: list[AlertRow]
    alerts_on: int
    quarantined: Overdue | None
    dead: int
    away: list[Circuit]
    held: list[Hold]
    late: list[Late]


def standing(conn: Connection, late_before: dt.datetime) -> Standing:
    """Read it."""
    alerts = alerts_on(conn)
    return Standing(
        alerts=[each for each in alerts if each.kind in _ALERTED],
        alerts_on=len(alerts),
        quarantined=quarantined(conn),
        dead=dead_number(conn),
        away=open_circuits(conn),
        held=holds_in_force(conn),
        late=late_interchanges(conn, late_before, LATE),
    )


def todo(visit: Visit, sources: Sources, found: Standing, late_hours: int) -> Html:
    """The list, what is worst first; or that nothing needs anybody."""
    now, say = sources.now(), visit.say
    live = sources.live()
    items: list[Html] = []
    for pool in live.broken:
        items.append(
            _item(
                say(f"No worker of “{pool}” starts", f"Aucun processus « {pool} » ne démarre"),
                say(
                    "Files are received, but nothing is judged. The log has the reason"
                    " (workers_still_broken).",
                    "Les fichiers sont reçus, mais rien n'est contrôlé. Le journal technique en"
                    " donne la raison (workers_still_broken).",
                ),
                bad=True,
            )
        )
    if not live.broker:
        items.append(
            _item(
                say("The broker is away", "Le courtier de messages est absent"),
                say(
                    "Results wait in the queue and are sent when it is back; nothing is lost.",
                    "Les résultats attendent et partiront à son retour ; rien n'est perdu.",
                ),
                link(say("Queue", "File d'attente"), "/queue"),
                bad=True,
            )
        )
    if found.quarantined is not None:
        number = count(visit, found.quarantined.number)
        items.append(
            _item(
                say(f"{number} in quarantine", f"{number} en quarantaine"),
                say(
                    "The gateway could not judge them and keeps their bytes, the first"
                    f" {since(visit, now, found.quarantined.since)}. Mend the cause, then release.",
                    "La passerelle n'a pas pu les contrôler et garde leurs octets, le premier"
                    f" {since(visit, now, found.quarantined.since)}. Corrigez la cause, puis"
                    " libérez.",
                ),
                link(say("Quarantine", "Quarantaine"), "/quarantine"),
                bad=True,
            )
        )
    if found.dead:
        number = count(visit, found.dead)
        items.append(
            _item(
                say(f"{number} messages given up", f"{number} messages abandonnés"),
                say(
                    "Their destination refused them so often that they are not tried any more.",
                    "Leur destination les a refusés si souvent qu'ils ne sont plus essayés.",
                ),
                link(say("Queue", "File d'attente"), "/queue"),
                bad=True,
            )
        )
    for alert in found.alerts[:_SHOWN]:
        items.append(
            _item(
                say(alert.what_en, alert.what_fr),
                f"{since(visit, now, alert.since)}. {say(alert.remedy_en, alert.remedy_fr)}",
                link(say("Alerts", "Alertes"), "/alerts"),
            )
        )
    for each in found.away[:_SHOWN]:
        to = f"{each.destination} {each.partner}".strip()
        items.append(
            _item(
                say(f"{to} does not answer", f"{to} ne répond pas"),
                f"{since(visit, now, each.opened_at)}: {each.error}",
                link(say("Queue", "File d'attente"), "/queue"),
            )
        )
    if found.late:
        items.append(_late(visit, found.late, now, late_hours))
    items += _certificates(visit, sources)
    for hold in found.held[:_SHOWN]:
        subject = hold_subject(visit, hold)
        items.append(
            _item(
                say(f"Held: {subject}", f"Suspendu : {subject}"),
                say(
                    f"{hold.placed_by}, {since(visit, now, hold.placed_at)}: {hold.reason}",
                    f"{hold.placed_by}, {since(visit, now, hold.placed_at)} : {hold.reason}",
                ),
                link(say("Holds", "Suspensions"), "/holds"),
            )
        )
    on = _alerts_on(visit, found.alerts_on)
    if not items and on is None:
        return element(
            "p",
            say("Nothing needs anybody now.", "Rien ne demande d'intervention."),
            class_="calm",
        )
    return lines(element("ul", *items, class_="todo") if items else None, on)


def _alerts_on(visit: Visit, number: int) -> Html | None:
    """How many alerts are on, some of which the list says in its own words."""
    if not number:
        return None
    told = count(visit, number)
    words = visit.say(
        "1 alert is on" if number == 1 else f"{told} alerts are on",
        "1 alerte en cours" if number == 1 else f"{told} alertes en cours",
    )
    return element("p", link(words, "/alerts"))


def hold_subject(visit: Visit, hold: Hold) -> str:
    """What a hold is about, in words."""
    named = (
        (visit.say("partner", "partenaire"), hold.partner),
        (visit.say("flow", "flux"), hold.flow),
        (visit.say("destination", "destination"), hold.destination),
    )
    told = ", ".join(f"{word} {name}" for word, name in named if name)
    return told or visit.say("everything", "tout")


def _late(visit: Visit, late: list[Late], now: dt.datetime, hours: int) -> Html:
    say = visit.say
    number = f"{count(visit, len(late))}{'+' if len(late) == LATE else ''}"
    oldest = late[0]
    return _item(
        say(f"{number} answers are late", f"{number} réponses en retard"),
        say(
            f"They have not left {hours} hours after receipt; the oldest was received"
            f" {since(visit, now, oldest.received_at)}.",
            f"Elles ne sont pas parties {hours} heures après réception ; la plus ancienne a été"
            f" reçue {since(visit, now, oldest.received_at)}.",
        ),
        link(say("The oldest", "La plus ancienne"), f"/interchanges/{oldest.interchange}"),
    )


def _certificates(visit: Visit, sources: Sources) -> list[Html]:
    """Of each owner the certificate that is good for longest, where that is not long."""
    best: dict[str, float] = {}
    for each, days in sources.certificates.days_left():
        owner = each.owner or ""
        best[owner] = max(days, best.get(owner, days))
    say = visit.say
    items: list[Html] = []
    for owner, days in sorted(best.items(), key=lambda pair: pair[1]):
        if days >= SOON_DAYS or len(items) == _SHOWN:
            break
        whose = owner or say("our own", "le nôtre")
        told = say(f"AS2 certificate: {whose}", f"Certificat AS2 : {whose}")
        left = (
            say("It has expired.", "Il a expiré.")
            if days < 0
            else say(f"It expires in {days:.0f} days.", f"Il expire dans {days:.0f} jours.")
        )
        items.append(_item(told, left, link(say("Partners", "Partenaires"), "/partners")))
    return items


def _item(what: str, why: str, where: Html | None = None, *, bad: bool = False) -> Html:
    return element(
        "li",
        element("strong", what),
        element("p", why, " ", where),
        class_="bad" if bad else None,
    )
