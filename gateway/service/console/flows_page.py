"""The first page: what needs a human, then how each flow of each partner goes.

For a partner's own login it is the page to drop a file on, with how its flows go.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from sqlalchemy import Connection

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.service.console.attention import standing, todo
from gateway.service.console.elements import chip, empty, link, table
from gateway.service.console.interchange_list import interchange_table
from gateway.service.console.layout import page
from gateway.service.console.sending import drop_form
from gateway.service.console.sources import Sources
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Route, Visit
from gateway.service.console.words import age, count
from gateway.service.http_server import Answer
from gateway.service.journal import records
from gateway.service.journal.console_records import interchanges_page
from gateway.service.journal.flow_records import DAYS, FlowLine, flow_lines

SHOWN: Final = 200
RECENT: Final = 10
_WIDTH, _HEIGHT = 112, 28


class FlowsPage:
    """The first page of everybody."""

    def __init__(self, sources: Sources, *, late_hours: int) -> None:
        self._sources = sources
        self._late_hours = late_hours

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [Route(method="GET", path=f"{ROOT}/", page=self.show, scoped=True)]

    async def show(self, visit: Visit) -> Answer:
        """The page, by who looks."""
        if visit.scope:
            return await self._own(visit)
        now = self._sources.now()
        late_before = now - dt.timedelta(hours=self._late_hours)
        found, lines = await self._sources.reader.read(
            "flows", lambda conn: (standing(conn, late_before), flow_lines(conn, now))
        )
        say = visit.say
        pieces: list[Piece] = [
            element("h2", say("What needs somebody", "Ce qui demande une intervention")),
            todo(visit, self._sources, found, self._late_hours),
            element("h2", say("Today", "Aujourd'hui")),
            self._figures(visit, lines),
            self._table(visit, lines, now),
        ]
        return page(visit, say("Flows", "Flux"), *pieces, active="flows", live=True)

    async def _own(self, visit: Visit) -> Answer:
        now = self._sources.now()

        def look(
            conn: Connection,
        ) -> tuple[list[FlowLine], list[records.InterchangeRow], dict[str, dict[str, int]]]:
            rows = interchanges_page(conn, partner=visit.scope, limit=RECENT)
            verdicts = records.verdicts_of(conn, [row.id for row in rows])
            return flow_lines(conn, now, partner=visit.scope), rows, verdicts

        lines, rows, verdicts = await self._sources.reader.read("own", look)
        say = visit.say
        pieces: list[Piece] = [self._figures(visit, lines)]
        if visit.login.role >= Role.OPERATOR:
            pieces += [element("h2", say("Send a file", "Envoyer un fichier")), drop_form(visit)]
        pieces.append(element("h2", say("Sent last", "Derniers envois")))
        if rows:
            pieces.append(interchange_table(visit, rows, verdicts))
            pieces.append(element("p", link(say("All of them", "Tous"), "/interchanges")))
        else:
            pieces.append(
                empty(
                    say(
                        "You have not sent anything yet. What you send, here or by the channel you"
                        " agreed on, is listed with its verdict, the reasons of a refusal, and the"
                        " acknowledgements to download.",
                        "Vous n'avez encore rien envoyé. Ce que vous envoyez, ici ou par le canal"
                        " convenu, apparaît avec son verdict, les raisons d'un refus et les accusés"
                        " à télécharger.",
                    )
                )
            )
        if lines:
            pieces += [
                element("h2", say("By flow", "Par flux")),
                self._table(visit, lines, now),
            ]
        return page(visit, say("My files", "Mes fichiers"), *pieces, active="flows", live=True)

    def _figures(self, visit: Visit, lines: list[FlowLine]) -> Html:
        say = visit.say
        shown = [
            ("waiting", say("waiting for a verdict", "en attente de verdict"), "waiting"),
            ("accepted", say("accepted today", "acceptés aujourd'hui"), "accepted"),
            ("rejected", say("rejected today", "rejetés aujourd'hui"), "rejected"),
            ("undetermined", say("undetermined now", "indéterminés en ce moment"), "undetermined"),
        ]
        return element(
            "dl",
            *(
                element(
                    "div",
                    element("dt", words),
                    element(
                        "dd",
                        count(visit, sum(getattr(line, field) for line in lines)),
                        data_live=name,
                    ),
                )
                for name, words, field in shown
            ),
            class_="figures",
        )

    def _table(self, visit: Visit, lines: list[FlowLine], now: dt.datetime) -> Html:
        say = visit.say
        if not lines:
            return empty(
                say(
                    "No document has come in during the last two weeks. As soon as one does, its"
                    " partner and flow have a line here: what waits and for how long, verdicts of"
                    " today, and the last two weeks in one small picture.",
                    "Aucun document n'est arrivé ces deux dernières semaines. Dès qu'il en arrive"
                    " un, son partenaire et son flux ont une ligne ici : ce qui attend et depuis"
                    " quand, les verdicts du jour, et les deux dernières semaines en une petite"
                    " image.",
                )
            )
        whose = [] if visit.scope else [say("Partner", "Partenaire")]
        titles = [
            *whose,
            say("Flow", "Flux"),
            say("Waiting", "En attente"),
            say("Oldest", "Le plus ancien"),
            say("Files in the last hour", "Fichiers de la dernière heure"),
            say("Accepted", "Acceptés"),
            say("Rejected", "Rejetés"),
            say("Undetermined", "Indéterminés"),
            say("Last 14 days", "14 derniers jours"),
        ]
        rows: list[list[Piece]] = []
        for line in lines[:SHOWN]:
            own: list[Piece] = []
            if not visit.scope:
                own = [link(line.partner, f"/interchanges?partner={line.partner}")]
            oldest = ""
            if line.oldest is not None:
                oldest = age(visit.language, (now - line.oldest).total_seconds())
            rows.append(
                [
                    *own,
                    line.flow or say("not chosen", "non choisi"),
                    count(visit, line.waiting),
                    oldest,
                    count(visit, line.last_hour),
                    count(visit, line.accepted),
                    chip(count(visit, line.rejected), "bad") if line.rejected else "0",
                    chip(count(visit, line.undetermined), "warn") if line.undetermined else "0",
                    sparkline(visit, line.days),
                ]
            )
        caption = say("By partner and flow", "Par partenaire et flux")
        if visit.scope:
            caption = say("Today, and the last two weeks", "Aujourd'hui, et deux semaines")
        return table(caption, titles, rows)


def sparkline(visit: Visit, days: list[int]) -> Html:
    """Documents by day as a line; in words for who does not see it."""
    most = max(days)
    words = visit.say(
        f"Documents a day, the last {DAYS} days: {', '.join(map(str, days))}",
        f"Documents par jour, {DAYS} derniers jours : {', '.join(map(str, days))}",
    )
    step = (_WIDTH - 4) / (len(days) - 1)
    points = " ".join(
        f"{2 + at * step:.1f},{_HEIGHT - 3 - (_HEIGHT - 6) * (value / most if most else 0):.1f}"
        for at, value in enumerate(days)
    )
    return element(
        "svg",
        element("title", words),
        element("polyline", points=points, fill="none", stroke="currentColor", stroke_width="1.5"),
        role="img",
        class_="spark",
        width=str(_WIDTH),
        height=str(_HEIGHT),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
    )
