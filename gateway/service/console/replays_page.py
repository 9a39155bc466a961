"""Replays of many interchanges: the last ones, and the form that chooses and tries another."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.model.interchange import Syntax, Transport
from gateway.model.verdict import Text
from gateway.service.console import notices
from gateway.service.console.doing import do
from gateway.service.console.elements import (
    chip,
    choice,
    empty,
    field,
    form,
    link,
    received_between,
    table,
)
from gateway.service.console.layout import page
from gateway.service.console.sources import Sources
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Route, Visit, go_to
from gateway.service.console.words import NO_DAY, count, moment, state_word
from gateway.service.http_server import Answer
from gateway.service.journal.replay_tables import ItemState
from gateway.service.journal.replays_records import ReplayRow, newest_replays
from gateway.service.journal.replays_shown import counts_of
from gateway.service.journal.search_records import PDF
from gateway.service.journal.search_words import typed_day

SHOWN: Final = 20
MOST_LETTERS: Final = 200
_CHOOSING: Final = ("partner", "flow", "channel", "format", "verdict", "rule", "since", "until")
_DAYS: Final = ("since", "until", "rules")
_NOTHING: Final = Text(
    en="Choose something: a partner, a flow, a rule, days, or one of the others.",
    fr="Choisissez quelque chose : un partenaire, un flux, une règle, des jours, ou un autre"
    " critère.",
)


class ReplaysPage:
    """The list and the form."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        path, operator = f"{ROOT}/replays", Role.OPERATOR
        return [
            Route(method="GET", path=path, page=self.show, role=operator),
            Route(method="POST", path=path, page=self.make, role=operator),
        ]

    async def show(self, visit: Visit) -> Answer:
        """The newest first; the form is filled in with what the address says."""

        def look(conn: Connection) -> tuple[list[ReplayRow], dict[str, dict[ItemState, int]]]:
            rows = newest_replays(conn, limit=SHOWN)
            return rows, counts_of(conn, [row.id for row in rows])

        rows, counts = await self._sources.reader.read("replays", look)
        say = visit.say
        content: Piece = empty(
            say(
                "No replay of many was made yet. One is worth it when rules were mended, or to see"
                " what other rules would do: many stored files are judged again, first for"
                " comparison only.",
                "Aucun nouveau contrôle de plusieurs échanges n'a été fait. Il sert quand des"
                " règles ont été corrigées, ou pour voir l'effet d'autres règles : de nombreux"
                " fichiers conservés sont contrôlés à nouveau, d'abord pour comparer seulement.",
            )
        )
        if rows:
            content = self._table(visit, rows, counts)
        return page(
            visit,
            say("Replays", "Nouveaux contrôles"),
            element("h2", say("Try another", "En essayer un autre")),
            element(
                "p",
                say(
                    "Interchanges that came to their end and hold a document like this are judged"
                    " again, and nothing is written. Then you see what would change, and may"
                    " commit it once.",
                    "Les échanges terminés qui contiennent un tel document sont contrôlés à"
                    " nouveau, et rien n'est écrit. Vous voyez ensuite ce qui changerait, et"
                    " pouvez le valider une fois.",
                ),
            ),
            self._form(visit),
            element("h2", say("The last ones", "Les derniers")),
            content,
            active="replays",
        )

    async def make(self, visit: Visit) -> Answer:
        """Choose, and have it tried."""
        asked = {
            name: visit.form.get(name, "").strip()[:MOST_LETTERS]
            for name in (*_CHOOSING, "rules")
            if visit.form.get(name, "").strip()
        }
        if not any(name in asked for name in _CHOOSING):
            return notices.invalid(visit.language, _NOTHING)
        for name in _DAYS:
            if name in asked:
                day = typed_day(asked[name])
                if day is None:
                    return notices.invalid(visit.language, NO_DAY)
                asked[name] = day.isoformat()
        return await begin(self._sources, visit, asked)

    def _form(self, visit: Visit) -> Html:
        say, filled = visit.say, visit.query
        any_ = ("", say("any", "tous"))
        verdicts = ((each, state_word(each, visit.language)[0]) for each in _VERDICTS)
        kinds = (*(each.value for each in Syntax), PDF)
        return form(
            visit,
            "/replays",
            choice(
                say("Partner", "Partenaire"),
                "partner",
                [any_, *((each, each) for each in sorted(self._sources.partners))],
                filled.get("partner", ""),
            ),
            choice(
                say("Flow", "Flux"),
                "flow",
                [any_, *((each, each) for each in sorted(self._sources.flows))],
                filled.get("flow", ""),
            ),
            choice(
                say("Channel", "Canal"),
                "channel",
                [any_, *((each.value, each.value) for each in Transport)],
                filled.get("channel", ""),
            ),
            choice(
                say("Format", "Format"),
                "format",
                [any_, *((each, each) for each in kinds)],
                filled.get("format", ""),
            ),
            choice(
                say("Verdict", "Verdict"), "verdict", [any_, *verdicts], filled.get("verdict", "")
            ),
            field(
                say("Rejected for rule", "Rejeté pour la règle"),
                "rule",
                value=filled.get("rule"),
                spellcheck="false",
                maxlength=str(MOST_LETTERS),
            ),
            *received_between(visit, filled),
            field(
                say("Rules of this day", "Règles de ce jour"),
                "rules",
                say(
                    "Empty: for each those of the day it was received.",
                    "Vide : pour chacun celles de son jour de réception.",
                ),
                type="date",
                value=filled.get("rules"),
            ),
            element("button", say("Try", "Essayer")),
            class_="card",
        )

    def _table(
        self, visit: Visit, rows: list[ReplayRow], counts: dict[str, dict[ItemState, int]]
    ) -> Html:
        say = visit.say
        return table(
            say("The newest first", "Les plus récents d'abord"),
            [
                say("Made", "Créé"),
                say("By", "Par"),
                say("Chosen", "Choisi"),
                say("Rules of", "Règles du"),
                say("Interchanges", "Échanges"),
                say("State", "État"),
            ],
            [
                [
                    link(moment(visit, row.made_at), f"/replays/{row.id}"),
                    element("bdi", row.made_by),
                    element("bdi", row.chosen),
                    f"{row.rules_on or ''}",
                    count(visit, sum(counts[row.id].values())),
                    _state(visit, counts[row.id]),
                ]
                for row in rows
            ],
            figures=(4,),
        )


async def begin(sources: Sources, visit: Visit, chosen: dict[str, str]) -> Answer:
    """Make a replay of what is chosen (arguments of `replays.make`), and have it tried.

    Raises `CommandRefused`.
    """
    made = await do(sources, visit, "replays.make", **chosen)
    await do(sources, visit, "replays.run", replay=made["replay"], step="try")
    return go_to(f"{ROOT}/replays/{made['replay']}")


_VERDICTS: Final = ("rejected", "accepted")


def _state(visit: Visit, counts: dict[ItemState, int]) -> Html:
    say = visit.say
    if counts.get(ItemState.WAITING):
        return chip(say("not tried to its end", "essai non terminé"), "warn")
    if counts.get(ItemState.COMMITTED):
        return chip(say("committed", "validé"), "good")
    return chip(say("tried", "essayé"))
