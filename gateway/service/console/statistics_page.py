"""Volumes and rejections out of the running totals: a picture by month, tables, CSV."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import Final
from urllib.parse import urlencode

from sqlalchemy import Connection

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.service.console.elements import choice, empty, link, table
from gateway.service.console.layout import page
from gateway.service.console.sources import Sources
from gateway.service.console.visit import ROOT, Route, Visit, download
from gateway.service.console.words import count
from gateway.service.http_server import Answer
from gateway.service.journal.statistics_read import Cause, Extent, Volume, causes, volumes
from gateway.service.journal.statistics_records import MONTH

MONTHS: Final = 12
RULES: Final = 20
SHOWN: Final = 200
BY: Final = ("partner", "channel", "format", "profile", "flow")
_WIDTH, _HEIGHT, _FOOT = 720, 190, 22
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class StatisticsPage:
    """The page and its CSV."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route(method="GET", path=f"{ROOT}/statistics", page=self.show, scoped=True),
            Route(method="GET", path=f"{ROOT}/statistics.csv", page=self.csv, scoped=True),
        ]

    async def show(self, visit: Visit) -> Answer:
        """The last twelve months."""
        by, partner = self._asked(visit)
        extent, months = self._extent(partner)

        def look(conn: Connection) -> tuple[list[Volume], list[Volume], list[Cause]]:
            return (
                volumes(conn, (MONTH,), extent),
                volumes(conn, (by,), extent),
                causes(conn, extent, limit=RULES),
            )

        by_month, split, rules = await self._sources.reader.read("statistics", look)
        say = visit.say
        pieces: list[Piece] = [self._form(visit, by, partner)]
        if not by_month:
            pieces.append(
                empty(
                    say(
                        "Nothing has been judged in the last twelve months. Each verdict is counted"
                        " as it is written, by month, partner, channel, format and rule.",
                        "Rien n'a été contrôlé ces douze derniers mois. Chaque verdict est compté"
                        " quand il est écrit, par mois, partenaire, canal, format et règle.",
                    )
                )
            )
            return page(visit, say("Statistics", "Statistiques"), *pieces, active="statistics")
        pieces += [
            element("h2", say("Documents by month", "Documents par mois")),
            bars(visit, months, by_month),
            element("h2", say("Volumes and rejections", "Volumes et rejets")),
            self._split(visit, by, split),
            element(
                "p",
                link(
                    say("As CSV, month by month", "En CSV, mois par mois"),
                    f"/statistics.csv?{urlencode({'by': by, 'partner': partner})}",
                ),
            ),
            element("h2", say("What was rejected for", "Causes des rejets")),
            rules_table(visit, rules),
        ]
        return page(visit, say("Statistics", "Statistiques"), *pieces, active="statistics")

    async def csv(self, visit: Visit) -> Answer:
        """Month by month, for spreadsheets."""
        by, partner = self._asked(visit)
        extent, _ = self._extent(partner)
        rows = await self._sources.reader.read(
            "statistics", lambda conn: volumes(conn, (MONTH, by), extent)
        )
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(("month", by, "documents", "accepted", "rejected"))
        for row in rows:
            values = [f"'{each}" if each.startswith(_FORMULA) else each for each in row.values]
            writer.writerow((*values, row.documents, row.accepted, row.rejected))
        name = f"statistics-{self._sources.now():%Y-%m-%d}.csv"
        return download(name, text.getvalue().encode("utf-8-sig"), "text/csv; charset=utf-8")

    def _asked(self, visit: Visit) -> tuple[str, str]:
        by = visit.query.get("by", "")
        choices = BY[1:] if visit.scope else BY
        return (by if by in choices else choices[0]), visit.scope or visit.query.get("partner", "")

    def _extent(self, partner: str) -> tuple[Extent, list[str]]:
        """The last months, this one included, and their names."""
        first = self._sources.now().astimezone(dt.UTC).date().replace(day=1)
        months = []
        for _ in range(MONTHS):
            months.append(f"{first:%Y-%m}")
            since, first = first, (first - dt.timedelta(days=1)).replace(day=1)
        return Extent(since=since, partner=partner or None), months[::-1]

    def _form(self, visit: Visit, by: str, partner: str) -> Html:
        say = visit.say
        words = _words(visit)
        choices = BY[1:] if visit.scope else BY
        return element(
            "form",
            choice(say("By", "Par"), "by", [(each, words[each]) for each in choices], by),
            None
            if visit.scope
            else choice(
                say("Partner", "Partenaire"),
                "partner",
                [
                    ("", say("all", "tous")),
                    *((name, name) for name in sorted(self._sources.partners)),
                ],
                partner,
            ),
            element("button", say("Show", "Afficher"), class_="second"),
            method="get",
            action=f"{ROOT}/statistics",
            class_="filter",
        )

    def _split(self, visit: Visit, by: str, rows: list[Volume]) -> Html:
        say = visit.say
        ordered = sorted(rows, key=lambda each: -each.documents)
        return table(
            say("The last twelve months", "Les douze derniers mois"),
            [
                _words(visit)[by],
                say("Documents", "Documents"),
                say("Accepted", "Acceptés"),
                say("Rejected", "Rejetés"),
                say("Rejection rate", "Taux de rejet"),
            ],
            [
                [
                    element("bdi", each.values[0] or say("not known", "inconnu")),
                    count(visit, each.documents),
                    count(visit, each.accepted),
                    count(visit, each.rejected),
                    f"{100 * each.rejection_rate:.1f} %",
                ]
                for each in ordered[:SHOWN]
            ],
        )


def rules_table(visit: Visit, rows: list[Cause]) -> Html:
    """The rules that most documents were rejected for, with the way to these."""
    say = visit.say
    if not rows:
        return empty(say("Nothing was rejected.", "Rien n'a été rejeté."))
    return table(
        say("The rules most documents were rejected for", "Les règles qui rejettent le plus"),
        [say("Rule", "Règle"), say("Documents", "Documents")],
        [
            [
                link(element("code", each.rule), f"/search?{urlencode({'rule': each.rule})}"),
                count(visit, each.documents),
            ]
            for each in rows
        ],
    )


def bars(visit: Visit, months: list[str], rows: list[Volume]) -> Html:
    """A bar for each month, what was rejected at its foot; the numbers stand in the table below."""
    by_month = {row.values[0]: row for row in rows}
    most = max((row.documents for row in rows), default=0) or 1
    step = _WIDTH / len(months)
    room = _HEIGHT - _FOOT - 14
    drawn: list[Piece] = []
    for at, month in enumerate(months):
        row = by_month.get(month)
        left, width = at * step + step * 0.15, step * 0.7
        if row is not None:
            whole = room * row.documents / most
            bad = room * row.rejected / most
            top = _HEIGHT - _FOOT - whole
            drawn += [
                _bar(left, top, width, whole - bad, "ok"),
                _bar(left, _HEIGHT - _FOOT - bad, width, bad, "no"),
                element(
                    "text",
                    count(visit, row.documents),
                    x=f"{left + width / 2:.1f}",
                    y=f"{top - 4:.1f}",
                    text_anchor="middle",
                ),
            ]
        drawn.append(
            element(
                "text",
                month[2:],
                x=f"{left + width / 2:.1f}",
                y=str(_HEIGHT - 6),
                text_anchor="middle",
            )
        )
    told = "; ".join(
        visit.say(
            f"{row.values[0]}: {row.documents} documents, {row.rejected} rejected",
            f"{row.values[0]} : {row.documents} documents, {row.rejected} rejetés",
        )
        for row in rows
    )
    picture = element(
        "svg",
        element("title", told),
        *drawn,
        role="img",
        class_="bars",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
    )
    legend = element(
        "figcaption",
        element("span", visit.say("accepted", "acceptés"), class_="key ok"),
        element("span", visit.say("rejected", "rejetés"), class_="key no"),
    )
    return element("figure", picture, legend, class_="card")


def _bar(left: float, top: float, width: float, height: float, kind: str) -> Html:
    return element(
        "rect",
        x=f"{left:.1f}",
        y=f"{top:.1f}",
        width=f"{width:.1f}",
        height=f"{max(height, 0):.1f}",
        class_=kind,
    )


def _words(visit: Visit) -> dict[str, str]:
    say = visit.say
    return {
        "partner": say("Partner", "Partenaire"),
        "channel": say("Channel", "Canal"),
        "format": say("Format", "Format"),
        "profile": say("Profile", "Profil"),
        "flow": say("Flow", "Flux"),
    }
