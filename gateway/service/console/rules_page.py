"""Rule packs: versions and their days, the most violated rules, what those to come would reject."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final

import msgspec

from gateway.core.acknowledgement.markup import Piece, element
from gateway.core.schematron.catalogue import Catalogue, PackProblem
from gateway.core.schematron.versions import applying, key_of, last_day
from gateway.errors import RulePackError
from gateway.model.verdict import Text
from gateway.service.console import notices
from gateway.service.console.elements import chip, empty, failure, table
from gateway.service.console.layout import page
from gateway.service.console.replays_page import begin
from gateway.service.console.rules_next import Coming, chosen_of, coming_of, next_rules
from gateway.service.console.sources import Sources
from gateway.service.console.statistics_page import rules_table
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Route, Visit
from gateway.service.http_server import Answer
from gateway.service.journal.statistics_read import Extent, causes

LATELY_DAYS: Final = 30
MOST_VIOLATED: Final = 10


class _Pack(msgspec.Struct, frozen=True):
    name: str
    title: str
    version: str
    since: dt.date | None
    until: dt.date | None
    applies: bool
    problem: str
    remedy: str
    sha256: str


class RulesPage:
    """The list."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        path, operator = f"{ROOT}/rules", Role.OPERATOR
        return [
            Route(method="GET", path=path, page=self.show),
            Route(method="POST", path=f"{path}/next", page=self.try_next, role=operator),
        ]

    async def show(self, visit: Visit) -> Answer:
        """Every version of every pack."""
        say = visit.say
        today = self._sources.now().date()
        try:
            packs: list[_Pack] = await self._sources.in_thread(
                _packs, self._sources.rule_packs, today
            )
        except RulePackError as error:
            return page(
                visit,
                say("Rules", "Règles"),
                failure(f"{error}"),
                active="rules",
            )
        rows: list[list[Piece]] = [
            [
                each.name,
                each.title,
                each.version,
                self._validity(visit, each),
                self._stands(visit, each),
                element("span", each.sha256[:12], class_="mono"),
            ]
            for each in packs
        ]
        content: Piece = empty(
            say(
                "There is no rule pack: nothing can be judged, and every document waits in"
                " quarantine. See: edi-gateway rules.",
                "Aucun paquet de règles : rien ne peut être contrôlé, et chaque document attend en"
                " quarantaine. Voir : edi-gateway rules.",
            )
        )
        if rows:
            content = table(
                say("Every version of every pack", "Toutes les versions de chaque paquet"),
                [
                    say("Pack", "Paquet"),
                    say("Title", "Titre"),
                    say("Version", "Version"),
                    say("Valid", "Validité"),
                    say("State", "État"),
                    "SHA-256",
                ],
                rows,
            )
        lately = Extent(since=today - dt.timedelta(days=LATELY_DAYS - 1), until=today)
        violated = await self._sources.reader.read(
            "rules", lambda conn: causes(conn, lately, limit=MOST_VIOLATED)
        )
        return page(
            visit,
            say("Rules", "Règles"),
            element(
                "p",
                say(
                    "A file is judged by the versions that are valid on the day it was received.",
                    "Un fichier est contrôlé par les versions valides le jour de sa réception.",
                ),
            ),
            content,
            element(
                "h2",
                say(
                    f"Most violated in the last {LATELY_DAYS} days",
                    f"Les plus enfreintes ces {LATELY_DAYS} derniers jours",
                ),
            ),
            rules_table(visit, violated),
            *(next_rules(visit, _coming(packs, today)) if visit.may(Role.OPERATOR) else ()),
            active="rules",
        )

    async def try_next(self, visit: Visit) -> Answer:
        """What rules to come would reject of what was accepted lately. Raises `RulePackError`."""
        today = self._sources.now().date()
        packs = await self._sources.in_thread(_packs, self._sources.rule_packs, today)
        chosen = chosen_of(visit, _coming(packs, today), today)
        if isinstance(chosen, Text):
            return notices.invalid(visit.language, chosen)
        return await begin(self._sources, visit, chosen)

    def _validity(self, visit: Visit, pack: _Pack) -> str:
        say = visit.say
        if pack.since is None and pack.until is None:
            return say("always", "toujours")
        since = say(f"from {pack.since}", f"du {pack.since}") if pack.since else ""
        until = say(f"to {pack.until}", f"au {pack.until}") if pack.until else ""
        return f"{since} {until}".strip()

    def _stands(self, visit: Visit, pack: _Pack) -> Piece:
        if pack.problem:
            return element(
                "span",
                chip(visit.say("unusable", "inutilisable"), "bad"),
                f" {pack.problem} {pack.remedy}",
            )
        if pack.applies:
            return chip(visit.say("applies today", "en vigueur"), "good")
        return chip(visit.say("not today", "pas aujourd'hui"))


def _coming(packs: list[_Pack], today: dt.date) -> list[Coming]:
    """Those that can be used."""
    usable = (each for each in packs if not each.problem)
    return coming_of(((each.since, f"{each.name} {each.version}") for each in usable), today)


def _packs(folder: Path | None, today: dt.date) -> list[_Pack]:
    """In a thread: files are read and their sums compared."""
    catalogue = Catalogue.load(folder)
    found = []
    for name in catalogue.names():
        versions = catalogue.versions(name)
        for entry in versions:
            problem = remedy = ""
            try:
                catalogue.artefact(key_of(entry, versions))
            except PackProblem as error:
                problem, remedy = error.what, error.remedy
            found.append(
                _Pack(
                    name,
                    entry.title,
                    entry.version,
                    entry.valid_from,
                    last_day(entry, versions),
                    applying(versions, today) is entry,
                    problem,
                    remedy,
                    entry.sha256,
                )
            )
    return found
