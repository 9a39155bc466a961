"""Interchanges, the newest first; and, for a partner's own login, the same with a place to send."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

from sqlalchemy import Connection

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.model.lifecycle import InterchangeState
from gateway.service.console.elements import chip, choice, empty, field, lines, link, table
from gateway.service.console.layout import page
from gateway.service.console.sources import Sources
from gateway.service.console.visit import ROOT, Route, Visit, go_to
from gateway.service.console.words import count, moment, size, state_word
from gateway.service.http_server import Answer
from gateway.service.journal import records
from gateway.service.journal.console_records import interchanges_page

PAGE: Final = 50
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class InterchangeList:
    """The list, with what narrows it."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route(method="GET", path=f"{ROOT}/interchanges", page=self.show, scoped=True),
        ]

    async def show(self, visit: Visit) -> Answer:
        """A page of them."""
        wanted = visit.query.get("id", "").strip().lower()
        if _ID.fullmatch(wanted):
            return go_to(f"{ROOT}/interchanges/{wanted}")
        partner = visit.scope or visit.query.get("partner", "")
        word = visit.query.get("state", "")
        state = InterchangeState(word) if word in set(InterchangeState) else None
        before = visit.query.get("before", "")

        def look(
            conn: Connection,
        ) -> tuple[list[records.InterchangeRow], dict[str, dict[str, int]]]:
            rows = interchanges_page(
                conn, partner=partner, state=state, before=before, limit=PAGE + 1
            )
            return rows, records.verdicts_of(conn, [row.id for row in rows[:PAGE]])

        rows, verdicts = await self._sources.reader.read("interchanges", look)
        shown = rows[:PAGE]
        content: list[Piece] = [self._filter(visit, partner, word)]
        if shown:
            content.append(interchange_table(visit, shown, verdicts))
        else:
            content.append(self._nothing(visit, narrowed=bool(word or before or partner)))
        if len(rows) > PAGE:
            narrowed = {
                "partner": "" if visit.scope else partner,
                "state": word,
                "before": shown[-1].id,
            }
            query = urlencode({name: value for name, value in narrowed.items() if value})
            older = link(visit.say("Older ones", "Plus anciens"), f"/interchanges?{query}")
            content.append(element("p", older, class_="pages"))
        return page(
            visit,
            visit.say("Interchanges", "Échanges"),
            *content,
            active="interchanges",
        )

    def _filter(self, visit: Visit, partner: str, state: str) -> Html:
        everything = ("", visit.say("all", "tous"))
        states = [
            (each.value, state_word(each.value, visit.language)[0]) for each in InterchangeState
        ]
        return element(
            "form",
            None
            if visit.scope
            else choice(
                visit.say("Partner", "Partenaire"),
                "partner",
                [everything, *((name, name) for name in sorted(self._sources.partners))],
                partner,
            ),
            choice(visit.say("State", "État"), "state", [everything, *states], state),
            field(visit.say("Whole id", "Identifiant complet"), "id", spellcheck="false"),
            element("button", visit.say("Show", "Afficher"), class_="second"),
            method="get",
            action=f"{ROOT}/interchanges",
            class_="filter",
        )

    def _nothing(self, visit: Visit, *, narrowed: bool) -> Html:
        if narrowed:
            return empty(
                visit.say(
                    "Nothing is like this. Take a condition away to see more.",
                    "Rien ne correspond. Retirez une condition pour en voir plus.",
                )
            )
        if visit.scope:
            return empty(
                visit.say(
                    "You have not sent anything yet. Drop a file on the page “My files”, or send it"
                    " by the channel you agreed on: it is listed here at once, with its verdict.",
                    "Vous n'avez encore rien envoyé. Déposez un fichier sur la page « Mes"
                    " fichiers », ou envoyez-le par le canal convenu : il apparaît ici aussitôt,"
                    " avec son verdict.",
                )
            )
        return empty(
            visit.say(
                "Nothing has come in yet. Whatever a partner sends by SFTP, AS2, HTTPS or a folder"
                " is listed here as soon as it is durably received. Partners are added with:"
                " edi-gateway partner add.",
                "Rien n'est encore arrivé. Ce qu'un partenaire envoie par SFTP, AS2, HTTPS ou"
                " dossier apparaît ici dès que sa réception est durable. Pour ajouter un"
                " partenaire : edi-gateway partner add.",
            )
        )


def interchange_table(
    visit: Visit, rows: list[records.InterchangeRow], verdicts: dict[str, dict[str, int]]
) -> Html:
    """One line for each."""
    whose = [] if visit.scope else [visit.say("Partner", "Partenaire")]
    titles = [
        visit.say("File", "Fichier"),
        *whose,
        visit.say("Received", "Reçu"),
        visit.say("State", "État"),
        visit.say("Documents", "Documents"),
        visit.say("Flow", "Flux"),
        visit.say("Size", "Taille"),
    ]
    cells: list[list[Piece]] = []
    for row in rows:
        word, tone = state_word(row.state.value, visit.language)
        own: list[Piece] = [] if visit.scope else [row.partner]
        cells.append(
            [
                link(element("bdi", row.name), f"/interchanges/{row.id}"),
                *own,
                moment(visit, row.received_at),
                chip(word, tone),
                verdict_chips(visit, verdicts.get(row.id, {})),
                row.flow or "",
                size(visit, row.size),
            ]
        )
    return table(visit.say("The newest first", "Les plus récents d'abord"), titles, cells)


def verdict_chips(visit: Visit, verdicts: dict[str, int]) -> Piece:
    """How many got which verdict; what was rejected first."""
    order = ("rejected", "undetermined", "accepted")
    shown = []
    for verdict in order:
        number = verdicts.get(verdict, 0)
        if number:
            word, tone = state_word(verdict, visit.language)
            if number > 1:
                word = visit.say(word, f"{word}s")
            shown.append(chip(f"{count(visit, number)} {word}", tone))
    return lines(*shown) if shown else ""
