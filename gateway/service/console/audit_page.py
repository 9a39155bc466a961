"""Who did what, when, on what: in the console and by commands."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from gateway.core.acknowledgement.markup import Piece, element
from gateway.model.verdict import Text
from gateway.service.console.elements import chip, empty, field, link, table
from gateway.service.console.layout import page
from gateway.service.console.sources import Sources
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Route, Visit
from gateway.service.console.words import moment
from gateway.service.http_server import Answer
from gateway.service.journal.audit_records import Deed, Outcome, deeds

PAGE: Final = 100
_OUTCOMES: Final = {
    Outcome.BEGUN: (Text(en="cut short, or under way", fr="interrompu, ou en cours"), "warn"),
    Outcome.DONE: (Text(en="done", fr="fait"), "good"),
    Outcome.REFUSED: (Text(en="refused", fr="refusé"), "warn"),
    Outcome.FAILED: (Text(en="failed", fr="échoué"), "bad"),
}


class AuditPage:
    """The list, the newest first."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [Route(method="GET", path=f"{ROOT}/audit", page=self.show, role=Role.OPERATOR)]

    async def show(self, visit: Visit) -> Answer:
        """A page of it."""
        say = visit.say
        by, before = visit.query.get("by", "").strip(), visit.number("before", 2**62)
        rows: list[Deed] = await self._sources.reader.read(
            "audit", lambda conn: deeds(conn, limit=PAGE + 1, by=by, before=before or None)
        )
        shown = rows[:PAGE]
        pieces: list[Piece] = [
            element(
                "form",
                field(say("Who", "Qui"), "by", value=by or None, spellcheck="false"),
                element("button", say("Show", "Afficher"), class_="second"),
                method="get",
                action=f"{ROOT}/audit",
                class_="filter",
            )
        ]
        if shown:
            pieces.append(
                table(
                    say("The newest first", "Les plus récents d'abord"),
                    [
                        say("When", "Quand"),
                        say("Who", "Qui"),
                        say("By way of", "Par la voie"),
                        say("What", "Quoi"),
                        say("On what", "Sur quoi"),
                        say("Outcome", "Issue"),
                    ],
                    [self._row(visit, each) for each in shown],
                )
            )
        else:
            pieces.append(
                empty(
                    say(
                        "Nobody has done anything here yet. Whatever people do, in this console or"
                        " by commands, is written down before it is carried out.",
                        "Personne n'a encore rien fait ici. Tout ce que font les personnes, dans"
                        " cette console ou par commandes, est consigné avant d'être exécuté.",
                    )
                )
            )
        if len(rows) > PAGE:
            query = urlencode({"by": by, "before": shown[-1].id})
            older = link(say("Older ones", "Plus anciens"), f"/audit?{query}")
            pieces.append(element("p", older, class_="pages"))
        return page(visit, say("Audit", "Audit"), *pieces, active="audit")

    def _row(self, visit: Visit, deed: Deed) -> list[Piece]:
        words, tone = _OUTCOMES[deed.outcome]
        subject: Piece = element("bdi", deed.subject)
        if deed.interchange_id is not None:
            subject = link(subject, f"/interchanges/{deed.interchange_id}")
        said = f" {deed.said}" if deed.said else ""
        return [
            moment(visit, deed.at),
            element("bdi", deed.by),
            f"{deed.via} {deed.peer}".strip(),
            element("code", deed.action),
            subject,
            element("span", chip(words.to(visit.language), tone), said),
        ]
