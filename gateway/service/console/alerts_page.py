"""Alerts: which are on, which are over, whom each was told, and how it is set up who is told what.

The list is the journal's, as `edi-gateway alerts` prints it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.model.verdict import Text
from gateway.service.alerting.kinds import SEVERITIES, TITLES, AlertKind
from gateway.service.alerting.words import span
from gateway.service.console.alerts_setup import receivers, setup
from gateway.service.console.doing import do
from gateway.service.console.elements import chip, empty, form, lines, table
from gateway.service.console.layout import page
from gateway.service.console.sources import Sources
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Route, Visit
from gateway.service.console.words import count, moment, since
from gateway.service.http_server import Answer
from gateway.service.journal import alert_records
from gateway.service.journal.alert_records import AlertRow, Telling

NEWEST: Final = 50
MOST_ON: Final = 100
MOST_UNSENT: Final = 50

_SEVERITY: Final = {
    "critical": (Text(en="critical", fr="critique"), "bad"),
    "warning": (Text(en="warning", fr="avertissement"), "warn"),
}
_ABOUT: Final = {
    "began": Text(en="that it began", fr="son début"),
    "over": Text(en="that it is over", fr="sa fin"),
}


class _Found(msgspec.Struct, frozen=True):
    on: list[AlertRow]
    over: list[AlertRow]
    told: dict[str, list[Telling]]
    unsent: list[Telling]
    about: dict[str, AlertRow]


def _look(conn: Connection) -> _Found:
    on = alert_records.alerts_on(conn)
    over = [row for row in alert_records.newest_alerts(conn, NEWEST) if row.ended_at is not None]
    told: dict[str, list[Telling]] = {}
    shown = [row.id for row in (*on[:MOST_ON], *over)]
    for each in alert_records.tellings_of(conn, shown):
        told.setdefault(each.alert_id, []).append(each)
    unsent = alert_records.unsent_tellings(conn, MOST_UNSENT)
    about = alert_records.alerts_named(conn, {each.alert_id for each in unsent})
    return _Found(on, over, told, unsent, about)


class AlertsPage:
    """The page, and the trial of the receivers."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route(method="GET", path=f"{ROOT}/alerts", page=self.show),
            Route(method="POST", path=f"{ROOT}/alerts/test", page=self.trial, role=Role.OPERATOR),
        ]

    async def show(self, visit: Visit) -> Answer:
        """What is on first."""
        return await self._alerts_page(visit)

    async def trial(self, visit: Visit) -> Answer:
        """A test message to everybody who is told, and what became of each."""
        answer = await do(self._sources, visit, "alerts-test")
        return await self._alerts_page(visit, _tried(visit, answer["receivers"]))

    async def _alerts_page(self, visit: Visit, said: Html | None = None) -> Answer:
        found: _Found = await self._sources.reader.read("alerts", _look)
        say, now, settings = visit.say, self._sources.now(), self._sources.alerts()
        pieces: list[Piece] = [said, element("h2", say("On now", "En cours"))]
        pieces += self._on(visit, found, now)
        if found.unsent:
            pieces += [
                element("h2", say("Not told yet", "Pas encore annoncé")),
                _unsent(visit, found, now),
            ]
        if found.over:
            pieces += [
                element("h2", say("Over", "Terminées")),
                _over(visit, found.over, found.told),
            ]
        pieces += [
            element("h2", say("Who is told, and of what", "Qui est prévenu, et de quoi")),
            setup(visit, settings),
        ]
        if visit.may(Role.OPERATOR) and receivers(settings):
            button = element(
                "button", say("Send a test message", "Envoyer un message d'essai"), class_="second"
            )
            pieces.append(form(visit, "/alerts/test", button))
        return page(visit, say("Alerts", "Alertes"), *pieces, active="alerts", live=True)

    def _on(self, visit: Visit, found: _Found, now: dt.datetime) -> list[Piece]:
        say = visit.say
        if not found.on and not found.over:
            return [
                empty(
                    say(
                        "No alert is on, and none was. When something needs somebody (a partner or"
                        " the broker does not answer, answers are late, the disk fills up, a"
                        " certificate expires), it stands here: since when, what it is, what to"
                        " do, and whom it was told. Each is told once when it begins and once when"
                        " it is over.",
                        "Aucune alerte n'est en cours, et il n'y en a pas eu. Quand quelque chose"
                        " demande une intervention (un partenaire ou le courtier ne répond pas, des"
                        " réponses sont en retard, le disque se remplit, un certificat expire),"
                        " cela apparaît ici : depuis quand, quoi, que faire, et qui a été prévenu."
                        " Chacune est annoncée une fois au début et une fois à la fin.",
                    )
                )
            ]
        if not found.on:
            calm = say("No alert is on.", "Aucune alerte n'est en cours.")
            return [element("p", calm, class_="calm")]
        titles = [
            say("Alert", "Alerte"),
            say("Since", "Depuis"),
            say("What it is", "Ce qui se passe"),
            say("What to do", "Que faire"),
            say("Told", "Annoncée"),
        ]
        rows: list[list[Piece]] = [
            [
                _alert(visit, row),
                lines(since(visit, now, row.since), moment(visit, row.since)),
                say(row.what_en, row.what_fr),
                say(row.remedy_en, row.remedy_fr),
                _told(visit, found.told.get(row.id, ()), "began"),
            ]
            for row in found.on[:MOST_ON]
        ]
        pieces: list[Piece] = [
            table(say("The oldest first", "Les plus anciennes d'abord"), titles, rows)
        ]
        left = len(found.on) - MOST_ON
        if left > 0:
            more = count(visit, left)
            pieces.append(element("p", say(f"And {more} more.", f"Et {more} de plus.")))
        return pieces


def _alert(visit: Visit, row: AlertRow) -> Html:
    """What it is called, about whom, and how bad it is."""
    known = row.kind in AlertKind.__members__.values()
    kind = AlertKind(row.kind) if known else None
    title = row.kind if kind is None else TITLES[kind].to(visit.language)
    words, tone = _SEVERITY["warning" if kind is None else SEVERITIES[kind]]
    about = " ".join(filter(None, (row.subject, row.partner)))
    return lines(
        element("strong", title), element("bdi", about), chip(words.to(visit.language), tone)
    )


def _told(visit: Visit, messages: Sequence[Telling], about: str) -> Piece:
    """Of each receiver, how far the word of this has come."""
    own = [each for each in messages if each.about == about]
    if not own:
        return visit.say("nobody", "personne")
    return lines(*(element("div", _one_told(visit, each)) for each in own))


def _one_told(visit: Visit, each: Telling) -> Html:
    if each.closed_at is None:
        return lines(each.receiver, chip(visit.say("not yet", "pas encore"), "warn"))
    if each.last_error is not None:
        return lines(
            each.receiver, chip(visit.say("given up", "abandonné"), "bad"), each.last_error
        )
    return lines(each.receiver, moment(visit, each.closed_at))


def _unsent(visit: Visit, found: _Found, now: dt.datetime) -> Html:
    say = visit.say
    rows: list[list[Piece]] = []
    for each in found.unsent:
        row, about = found.about.get(each.alert_id), _ABOUT.get(each.about)
        rows.append(
            [
                each.receiver,
                each.alert_id if row is None else _alert(visit, row),
                each.about if about is None else about.to(visit.language),
                since(visit, now, each.created_at),
                count(visit, each.attempts),
                moment(visit, each.next_attempt_at),
                each.last_error or say("not tried yet", "pas encore essayé"),
            ]
        )
    return table(
        say("Tried again by itself, for a week", "Retenté tout seul, pendant une semaine"),
        [
            say("To", "À"),
            say("Alert", "Alerte"),
            say("Says", "Annonce"),
            say("Waits since", "Attend depuis"),
            say("Attempts", "Essais"),
            say("Next attempt", "Prochain essai"),
            say("Why", "Pourquoi"),
        ],
        rows,
    )


def _over(visit: Visit, rows: list[AlertRow], told: dict[str, list[Telling]]) -> Html:
    say = visit.say
    cells: list[list[Piece]] = []
    for row in rows:
        assert row.ended_at is not None
        cells.append(
            [
                _alert(visit, row),
                say(row.what_en, row.what_fr),
                moment(visit, row.since),
                moment(visit, row.ended_at),
                span(row.ended_at - row.since).to(visit.language),
                _told(visit, told.get(row.id, ()), "over"),
            ]
        )
    return table(
        say("The newest first", "Les plus récentes d'abord"),
        [
            say("Alert", "Alerte"),
            say("What it was", "Ce qui se passait"),
            say("Began", "Début"),
            say("Over", "Fin"),
            say("Lasted", "Durée"),
            say("End told", "Fin annoncée"),
        ],
        cells,
    )


def _tried(visit: Visit, answers: Sequence[dict[str, Any]]) -> Html:
    """What became of the test messages."""
    say = visit.say
    if not answers:
        words = say(
            "Nobody is told: nothing was sent.", "Personne n'est prévenu : rien n'est parti."
        )
        return element("p", words, class_="note", role="status")
    failed = any(each["error"] for each in answers)
    told = [
        f"{each['receiver']}: {each['error'] or say('it arrived.', 'bien reçu.')}"
        for each in answers
    ]
    head = say("Test message. ", "Message d'essai. ")
    return element("p", head, " ".join(told), class_="failed" if failed else "done", role="status")
