"""What waits, and what keeps it: what is stuck stands first."""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec
from sqlalchemy import Connection

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.service.console.broker_part import broker_part
from gateway.service.console.elements import chip, empty, lines, link, table
from gateway.service.console.layout import page
from gateway.service.console.sources import Sources
from gateway.service.console.visit import ROOT, Route, Visit
from gateway.service.console.words import KINDS, count, moment, since, state_word
from gateway.service.http_server import Answer
from gateway.service.journal.console_records import (
    Retried,
    Stuck,
    retried,
    stuck,
    working,
)
from gateway.service.journal.delivery_records import Circuit, open_circuits
from gateway.service.journal.queue_records import Queue, queues
from gateway.service.journal.rows import InterchangeRow

SHOWN: Final = 50


class _Found(msgspec.Struct, frozen=True):
    away: list[Circuit]
    stuck: list[Stuck]
    retried: list[Retried]
    queues: list[Queue]
    working: list[InterchangeRow]


class QueuePage:
    """The queue."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [Route(method="GET", path=f"{ROOT}/queue", page=self.show)]

    async def show(self, visit: Visit) -> Answer:
        """All of it."""
        now = self._sources.now()
        self._sources.broker_queues()  # it is asked while the journal is read

        def look(conn: Connection) -> _Found:
            return _Found(
                open_circuits(conn),
                stuck(conn, limit=SHOWN),
                retried(conn, limit=SHOWN),
                queues(conn, committed=self._sources.committed),
                working(conn, limit=SHOWN),
            )

        found = await self._sources.reader.read("queue", look)
        pieces: list[Piece] = [
            element(
                "p",
                visit.say(
                    "The numbers have changed since this page was loaded. ",
                    "Les nombres ont changé depuis le chargement de cette page. ",
                ),
                link(visit.say("Load again", "Recharger"), "/queue"),
                class_="note",
                data_changed="",
                hidden="",
                role="status",
            ),
            element("h2", visit.say("Stuck", "Bloqué")),
            *self._stuck(visit, found, now),
            element("h2", visit.say("Waiting to be sent", "En attente d'envoi")),
            self._queues(visit, found.queues, now),
            element("h2", visit.say("At the broker", "Chez le courtier de messages")),
            broker_part(visit, self._sources.broker_queues(), now),
            element("h2", visit.say("Being judged", "En cours de contrôle")),
            self._working(visit, found.working, now),
        ]
        return page(visit, visit.say("Queue", "File d'attente"), *pieces, active="queue", live=True)

    def _stuck(self, visit: Visit, found: _Found, now: dt.datetime) -> list[Piece]:
        pieces: list[Piece] = []
        if found.away:
            pieces.append(_away(visit, found.away, now))
        if found.stuck:
            pieces.append(_messages(visit, found.stuck, now))
        if found.retried:
            pieces.append(_documents(visit, found.retried, now))
        if not pieces:
            pieces.append(
                element(
                    "p",
                    visit.say(
                        "Nothing is stuck: no attempt to send or to judge failed.",
                        "Rien n'est bloqué : aucune tentative d'envoi ou de contrôle n'a échoué.",
                    ),
                    class_="calm",
                )
            )
        return pieces

    def _queues(self, visit: Visit, rows: list[Queue], now: dt.datetime) -> Html:
        if not rows:
            return empty(
                visit.say(
                    "Nothing waits: everything said so far has arrived. Results go to the broker,"
                    " reports back to the partners; while one of them does not answer, its messages"
                    " wait here and nothing is lost.",
                    "Rien n'attend : tout ce qui a été dit est arrivé. Les résultats vont au"
                    " courtier, les rapports aux partenaires ; tant que l'un d'eux ne répond pas,"
                    " ses messages attendent ici et rien n'est perdu.",
                )
            )
        return table(
            visit.say("By destination", "Par destination"),
            [
                visit.say("Destination", "Destination"),
                visit.say("Partner", "Partenaire"),
                visit.say("Waiting", "En attente"),
                visit.say("Of these held", "Dont suspendus"),
                visit.say("Before their turn", "Avant leur tour"),
                visit.say("Given up", "Abandonnés"),
                visit.say("Oldest", "Le plus ancien"),
                visit.say("Next attempt", "Prochain essai"),
                visit.say("Last error", "Dernière erreur"),
            ],
            [
                [
                    each.destination,
                    each.partner,
                    count(visit, each.waiting),
                    count(visit, each.held) if each.held else "",
                    count(visit, each.before_turn) if each.before_turn else "",
                    chip(count(visit, each.dead), "bad") if each.dead else "",
                    since(visit, now, each.oldest),
                    moment(visit, each.next_attempt_at),
                    each.last_error or "",
                ]
                for each in rows
            ],
        )

    def _working(self, visit: Visit, rows: list[InterchangeRow], now: dt.datetime) -> Html:
        if not rows:
            return empty(visit.say("Nothing waits for a verdict.", "Rien n'attend de verdict."))
        return table(
            visit.say("The oldest first", "Les plus anciens d'abord"),
            [
                visit.say("File", "Fichier"),
                visit.say("Partner", "Partenaire"),
                visit.say("Received", "Reçu"),
                visit.say("State", "État"),
                visit.say("Open documents", "Documents ouverts"),
            ],
            [
                [
                    link(element("bdi", row.name), f"/interchanges/{row.id}"),
                    row.partner,
                    since(visit, now, row.received_at),
                    chip(*state_word(row.state.value, visit.language)),
                    f"{count(visit, row.documents_open)} / {count(visit, row.documents_total)}",
                ]
                for row in rows
            ],
        )


def _away(visit: Visit, rows: list[Circuit], now: dt.datetime) -> Html:
    return table(
        visit.say("Destinations that do not answer", "Destinations qui ne répondent pas"),
        [
            visit.say("Destination", "Destination"),
            visit.say("Partner", "Partenaire"),
            visit.say("Since", "Depuis"),
            visit.say("Failures", "Échecs"),
            visit.say("Next attempt", "Prochain essai"),
            visit.say("Why", "Pourquoi"),
        ],
        [
            [
                each.destination,
                each.partner,
                since(visit, now, each.opened_at),
                count(visit, each.failures),
                moment(visit, each.next_probe_at),
                each.error,
            ]
            for each in rows
        ],
    )


def _messages(visit: Visit, rows: list[Stuck], now: dt.datetime) -> Html:
    return table(
        visit.say("Messages that do not arrive", "Messages qui n'arrivent pas"),
        [
            visit.say("What", "Quoi"),
            visit.say("To", "Vers"),
            visit.say("State", "État"),
            visit.say("Since", "Depuis"),
            visit.say("Attempts", "Essais"),
            visit.say("Next attempt", "Prochain essai"),
            visit.say("Why", "Pourquoi"),
        ],
        [
            [
                link(
                    KINDS[each.kind].to(visit.language) if each.kind in KINDS else each.kind,
                    f"/interchanges/{each.interchange_id}",
                ),
                f"{each.destination} {each.partner}".strip(),
                lines(
                    chip(*state_word(each.state.value, visit.language)),
                    chip(visit.say("held", "suspendu"), "warn") if each.held else None,
                ),
                since(visit, now, each.created_at),
                count(visit, each.attempts),
                moment(visit, each.next_attempt_at) if each.state.value == "pending" else "",
                each.last_error or "",
            ]
            for each in rows
        ],
    )


def _documents(visit: Visit, rows: list[Retried], now: dt.datetime) -> Html:
    return table(
        visit.say(
            "Documents we could not judge yet", "Documents que nous n'avons pas encore pu contrôler"
        ),
        [
            visit.say("Document", "Document"),
            visit.say("Partner", "Partenaire"),
            visit.say("Received", "Reçu"),
            visit.say("Attempts", "Essais"),
            visit.say("Next attempt", "Prochain essai"),
            visit.say("Why", "Pourquoi"),
        ],
        [
            [
                link(element("bdi", each.name), f"/interchanges/{each.interchange_id}"),
                each.partner,
                since(visit, now, each.received_at),
                count(visit, each.attempts),
                moment(visit, each.next_attempt_at),
                each.cause or "",
            ]
            for each in rows
        ],
    )
