"""One replay of many: how far it is, which verdicts would change, and the buttons to go on."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec
from sqlalchemy import Connection

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.model.verdict import Text
from gateway.service.console import notices
from gateway.service.console.doing import do
from gateway.service.console.elements import facts, form, lines, link
from gateway.service.console.layout import page
from gateway.service.console.replay_progress import Progress, progress_of
from gateway.service.console.replay_tables import (
    items_table,
    kinds_table,
    partners_table,
    rules_table,
)
from gateway.service.console.replay_words import stands
from gateway.service.console.sources import Sources
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Route, Visit, go_to
from gateway.service.console.words import count, moment
from gateway.service.http_server import Answer
from gateway.service.journal.replay_tables import ItemState
from gateway.service.journal.replays_records import Item, items_changed
from gateway.service.journal.replays_shown import changes_in, documents_by_partner, names_of
from gateway.service.replay_runs import Step
from gateway.service.replay_summary import Summary, summary_of

PAGE: Final = 50
SUMS_KEPT: Final = 8
_UNSHOWN: Final = Text(
    en="What would change is not any more what this page showed. Load it again, look, and commit"
    " then.",
    fr="Ce qui changerait n'est plus ce que cette page montrait. Rechargez-la, regardez, puis"
    " validez.",
)
_COMING: Final = Text(
    en="These rules are not in force yet: nothing is committed by them here.",
    fr="Ces règles ne sont pas encore en vigueur : rien n'est validé ici d'après elles.",
)


class _Sums(msgspec.Struct, frozen=True, kw_only=True):
    summary: Summary
    partners: dict[str, int]


class _Items(msgspec.Struct, frozen=True, kw_only=True):
    rows: list[Item]
    names: dict[str, tuple[str, str]]


class ReplayPage:
    """The page of one."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._sums: OrderedDict[tuple[str, int, int], _Sums] = OrderedDict()

    def routes(self) -> list[Route]:
        """What is answered here."""
        here, operator = f"{ROOT}/replays/{{name}}", Role.OPERATOR
        return [
            Route(method="GET", path=here, page=self.show, role=operator),
            Route(method="POST", path=f"{here}/try", page=self.attempt, role=operator),
            Route(method="POST", path=f"{here}/commit", page=self.commit, role=operator),
            Route(method="POST", path=f"{here}/stop", page=self.stop, role=operator),
        ]

    async def show(self, visit: Visit) -> Answer:
        """All of it, interchanges page by page."""
        replay, after = visit.words["name"], visit.query.get("after", "")
        progress = await progress_of(self._sources, replay)
        if progress is None:
            return notices.not_found(visit.language)

        def look(conn: Connection) -> _Items:
            rows = items_changed(conn, replay, after=after, limit=PAGE + 1)
            return _Items(rows=rows, names=names_of(conn, [each.interchange for each in rows]))

        items = await self._sources.reader.read("replay_items", look)
        say, today = visit.say, self._sources.now().date()
        pieces: list[Piece] = [
            element("p", link(say("Replays", "Nouveaux contrôles"), "/replays"), class_="crumbs"),
            stands(visit, progress, today),
            self._moving(visit, progress),
            self._figures(visit, progress),
            self._buttons(visit, progress),
            element("section", self._facts(visit, progress), class_="card"),
            *_sums(visit, await self._added_up(progress)),
            *_items(visit, items, replay),
        ]
        title = say("A replay of many", "Un nouveau contrôle de plusieurs échanges")
        return page(visit, title, *pieces, active="replays", live=True, watched=f"replay={replay}")

    async def _added_up(self, progress: Progress) -> _Sums:
        """Sums over all interchanges: a second of work for 50,000, so done once for each change."""
        replay = progress.row.id
        key = (replay, progress.documents, progress.changed)
        if key not in self._sums:
            self._sums[key] = await self._sources.reader.read(
                "replay_sums",
                lambda conn: _Sums(
                    summary=summary_of(changes_in(conn, replay)),
                    partners=documents_by_partner(conn, replay),
                ),
            )
        self._sums.move_to_end(key)
        while len(self._sums) > SUMS_KEPT:
            self._sums.popitem(last=False)
        return self._sums[key]

    async def attempt(self, visit: Visit) -> Answer:
        """Try what is not tried, and with `again` also what could not be."""
        replay, again = visit.words["name"], visit.form.get("again") == "1"
        await do(self._sources, visit, "replays.run", replay=replay, step="try", again=again)
        return go_to(f"{ROOT}/replays/{replay}")

    async def commit(self, visit: Visit) -> Answer:
        """Have judged again for good what was shown, and nothing else."""
        replay = visit.words["name"]
        progress = await progress_of(self._sources, replay)
        if progress is None:
            return notices.not_found(visit.language)
        if progress.of_coming_rules(self._sources.now().date()):
            return notices.invalid(visit.language, _COMING)
        if not visit.login.vouches(visit.form.get("shown", ""), _purpose(progress)):
            return notices.invalid(visit.language, _UNSHOWN)
        await do(self._sources, visit, "replays.run", replay=replay, step="commit")
        return go_to(f"{ROOT}/replays/{replay}")

    async def stop(self, visit: Visit) -> Answer:
        """No more of it for now."""
        replay = visit.words["name"]
        await do(self._sources, visit, "replays.stop", replay=replay)
        return go_to(f"{ROOT}/replays/{replay}")

    def _moving(self, visit: Visit, progress: Progress) -> Html:
        """Without the script the link alone is there, as long as something moves."""
        here = link(visit.say("Load again", "Recharger"), f"/replays/{progress.row.id}")
        told = visit.say(
            "The numbers have moved on since this page was loaded. ",
            "Les nombres ont avancé depuis le chargement de cette page. ",
        )
        return lines(
            element("p", told, here, class_="note", data_changed="", hidden="", role="status"),
            element("noscript", element("p", here)) if progress.running is not None else None,
        )

    def _figures(self, visit: Visit, progress: Progress) -> Html:
        say = visit.say
        rows = [
            (say("Interchanges", "Échanges"), "replay-interchanges", progress.interchanges),
            (say("Tried", "Essayés"), "replay-tried", progress.tried),
            (
                say("Documents judged", "Documents contrôlés"),
                "replay-documents",
                progress.documents,
            ),
            (say("Would change", "Changeraient"), "replay-changed", progress.changed),
            (say("Committed", "Validés"), "replay-committed", progress.committed),
        ]
        return element(
            "dl",
            *(
                element(
                    "div",
                    element("dt", words),
                    element("dd", count(visit, number), data_live=name),
                )
                for words, name, number in rows
            ),
            class_="figures",
        )

    def _buttons(self, visit: Visit, progress: Progress) -> Html:
        say, here = visit.say, f"/replays/{progress.row.id}"
        failed = progress.counts.get(ItemState.FAILED, 0)
        pieces: list[Piece] = []
        if progress.running is not None:
            words = (
                say("Stop trying", "Arrêter l'essai")
                if progress.running is Step.TRY
                else say("Stop committing", "Arrêter la validation")
            )
            pieces.append(form(visit, f"{here}/stop", element("button", words, class_="second")))
        elif progress.waiting:
            pieces.append(
                form(visit, f"{here}/try", element("button", say("Go on trying", "Continuer")))
            )
        else:
            if progress.left and not progress.of_coming_rules(self._sources.now().date()):
                pieces.append(self._commit_form(visit, progress))
            if failed:
                pieces.append(
                    form(
                        visit,
                        f"{here}/try",
                        element("input", type="hidden", name="again", value="1"),
                        element(
                            "button",
                            say("Try again what failed", "Réessayer ce qui a échoué"),
                            class_="second",
                        ),
                    )
                )
        return element("div", *pieces, class_="actions")

    def _commit_form(self, visit: Visit, progress: Progress) -> Html:
        say, number = visit.say, count(visit, progress.left)
        words = (
            say(
                f"Go on committing (interchanges: {number})",
                f"Continuer la validation (échanges : {number})",
            )
            if progress.committed
            else say(f"Commit (interchanges: {number})", f"Valider (échanges : {number})")
        )
        shown = visit.login.token(_purpose(progress))
        return form(
            visit,
            f"/replays/{progress.row.id}/commit",
            element("input", type="hidden", name="shown", value=shown),
            element("button", words),
        )

    def _facts(self, visit: Visit, progress: Progress) -> Html:
        say, row = visit.say, progress.row
        rules = (
            f"{row.rules_on}"
            if row.rules_on is not None
            else say("the day each was received", "le jour de réception de chacun")
        )
        return facts(
            [
                (say("Chosen", "Choisi"), element("bdi", row.chosen)),
                (say("Rules of", "Règles du"), rules),
                (
                    say("Made", "Créé"),
                    lines(moment(visit, row.made_at), element("bdi", row.made_by)),
                ),
                (say("Id", "Identifiant"), element("span", row.id, class_="mono")),
            ]
        )


def _sums(visit: Visit, sums: _Sums) -> list[Piece]:
    pieces: list[Piece] = []
    if sums.summary.kinds:
        pieces.append(kinds_table(visit, sums.summary))
    if sums.summary.rejecting:
        words = visit.say(
            "What would be rejected and is not now", "Ce qui serait rejeté et ne l'est pas"
        )
        pieces += [
            element("h2", words),
            rules_table(visit, sums.summary),
            partners_table(visit, sums.summary, sums.partners),
        ]
    return pieces


def _items(visit: Visit, items: _Items, replay: str) -> list[Piece]:
    if not items.rows:
        return []
    shown = items.rows[:PAGE]
    pieces: list[Piece] = [
        element("h2", visit.say("Interchange by interchange", "Échange par échange")),
        items_table(visit, shown, items.names),
    ]
    if len(items.rows) > PAGE:
        more = link(
            visit.say("Next interchanges", "Échanges suivants"),
            f"/replays/{replay}?after={shown[-1].interchange}",
        )
        pieces.append(element("p", more, class_="pages"))
    return pieces


def _purpose(progress: Progress) -> str:
    """What a page has shown: so many documents of this replay would change."""
    return f"replays {progress.row.id} {progress.documents} {progress.changed}"
