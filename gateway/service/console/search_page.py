"""Search by number, party, file, Message-ID, amount or date: what the command `search` finds."""

from __future__ import annotations

import datetime as dt
from typing import Final
from urllib.parse import urlencode

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.model.verdict import Text
from gateway.service.console import notices
from gateway.service.console.elements import (
    chip,
    choice,
    empty,
    field,
    lines,
    link,
    received_between,
    table,
)
from gateway.service.console.layout import page
from gateway.service.console.sources import Sources
from gateway.service.console.visit import ROOT, Route, Visit
from gateway.service.console.words import NO_DAY, moment, state_word
from gateway.service.http_server import Answer
from gateway.service.journal.search_conditions import Criteria
from gateway.service.journal.search_find import FoundPage, search
from gateway.service.journal.search_hits import Hit
from gateway.service.journal.search_words import typed_amount, typed_day

PAGE: Final = 50
MOST_LETTERS: Final = 200
_NO_AMOUNT: Final = Text(en="An amount is written as 1234.50.", fr="Un montant s'écrit 1234,50.")
_NO_PLACE: Final = Text(
    en="The list cannot go on from there. Search again.",
    fr="La liste ne peut pas reprendre là. Recommencez la recherche.",
)


class SearchPage:
    """The form and what it finds."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [Route(method="GET", path=f"{ROOT}/search", page=self.show, scoped=True)]

    async def show(self, visit: Visit) -> Answer:
        """A page of results, the newest first."""
        asked = {
            name: value.strip()[:MOST_LETTERS]
            for name, value in visit.query.items()
            if value.strip()
        }
        wanted = _criteria(asked, visit.scope)
        if isinstance(wanted, Text):
            return notices.invalid(visit.language, wanted)
        say = visit.say
        pieces: list[Piece] = [self._form(visit, asked)]
        if wanted == Criteria(partner=visit.scope or None):
            pieces.append(
                empty(
                    say(
                        "Write the beginning of an invoice number, of a seller's or buyer's"
                        " identifier or name, or of a file name; or a whole amount, a day, a"
                        " Message-ID. Case and accents do not count. Only documents that have been"
                        " judged are found.",
                        "Écrivez le début d'un numéro de facture, d'un identifiant ou nom de"
                        " vendeur ou d'acheteur, ou d'un nom de fichier ; ou un montant entier, un"
                        " jour, un Message-ID. La casse et les accents ne comptent pas. Seuls les"
                        " documents contrôlés sont trouvés.",
                    )
                )
            )
            return page(visit, say("Search", "Recherche"), *pieces, active="search")
        after = asked.get("after")
        try:
            found = await self._sources.reader.read(
                "search", lambda conn: search(conn, wanted, limit=PAGE, after=after)
            )
        except ValueError:
            return notices.invalid(visit.language, _NO_PLACE)
        pieces += self._found(visit, found, asked)
        return page(visit, say("Search", "Recherche"), *pieces, active="search")

    def _found(self, visit: Visit, found: FoundPage, asked: dict[str, str]) -> list[Piece]:
        say = visit.say
        pieces: list[Piece] = []
        if found.hits:
            pieces.append(self._table(visit, found.hits))
        elif found.next is None:
            pieces.append(
                empty(
                    say(
                        "No document is like this. Write less of it, or take a condition away.",
                        "Aucun document ne correspond. Écrivez-en moins, ou retirez une condition.",
                    )
                )
            )
        if found.looked_back_to is not None:
            pieces.append(
                element(
                    "p",
                    say("Looked back to ", "Recherché jusqu'au "),
                    moment(visit, found.looked_back_to),
                    ".",
                )
            )
        if found.next is not None:
            query = urlencode({**asked, "after": found.next})
            older = link(say("Older ones", "Plus anciens"), f"/search?{query}")
            pieces.append(element("p", older, class_="pages"))
        return pieces

    def _form(self, visit: Visit, asked: dict[str, str]) -> Html:
        say = visit.say
        everything = ("", say("all", "tous"))
        return element(
            "form",
            field(
                say("Number, party, file, amount, date", "Numéro, partie, fichier, montant, date"),
                "text",
                value=asked.get("text"),
                type="search",
                spellcheck="false",
                autofocus="" if not asked else None,
            ),
            choice(
                say("Verdict", "Verdict"),
                "verdict",
                [
                    everything,
                    *((each, state_word(each, visit.language)[0]) for each in _VERDICTS),
                ],
                asked.get("verdict", ""),
            ),
            None
            if visit.scope
            else choice(
                say("Partner", "Partenaire"),
                "partner",
                [everything, *((name, name) for name in sorted(self._sources.partners))],
                asked.get("partner", ""),
            ),
            field(
                say("Rejected for rule", "Rejeté pour la règle"),
                "rule",
                value=asked.get("rule"),
                spellcheck="false",
            ),
            *received_between(visit, asked),
            field(
                say("Amount from", "Montant de"),
                "from",
                inputmode="decimal",
                value=asked.get("from"),
            ),
            field(say("Amount to", "Montant à"), "to", inputmode="decimal", value=asked.get("to")),
            element("button", say("Search", "Rechercher")),
            method="get",
            action=f"{ROOT}/search",
            role="search",
            class_="filter",
        )

    def _table(self, visit: Visit, hits: tuple[Hit, ...]) -> Html:
        say = visit.say
        whose = [] if visit.scope else [say("Partner", "Partenaire")]
        titles = [
            say("Invoice", "Facture"),
            say("Verdict", "Verdict"),
            say("Seller", "Vendeur"),
            say("Buyer", "Acheteur"),
            say("Amount", "Montant"),
            say("Issued", "Émise le"),
            say("File", "Fichier"),
            *whose,
            say("Received", "Reçu"),
        ]
        rows: list[list[Piece]] = []
        for hit in hits:
            number = hit.number or say("number not read", "numéro non lu")
            here = f"/interchanges/{hit.interchange}"
            own: list[Piece] = [] if visit.scope else [hit.partner]
            rows.append(
                [
                    link(element("bdi", number), f"{here}/documents/{hit.ordinal}"),
                    chip(*state_word(hit.verdict or hit.state.value, visit.language)),
                    element("bdi", hit.seller_name or hit.seller_id or ""),
                    element("bdi", hit.buyer_name or hit.buyer_id or ""),
                    lines(hit.amount, hit.currency or "") if hit.amount else "",
                    element("span", hit.issued or "", class_="nowrap"),
                    link(element("bdi", hit.file), here),
                    *own,
                    moment(visit, hit.received_at),
                ]
            )
        return table(say("The newest first", "Les plus récents d'abord"), titles, rows)


_VERDICTS: Final = ("rejected", "accepted")


def _criteria(asked: dict[str, str], scope: str) -> Criteria | Text:
    """What the form asks for; or what is wrong with it."""
    days: dict[str, dt.date | None] = {}
    for name in ("since", "until"):
        days[name] = typed_day(asked[name]) if name in asked else None
        if name in asked and days[name] is None:
            return NO_DAY
    amounts: dict[str, int | None] = {}
    for name in ("from", "to"):
        amounts[name] = typed_amount(asked[name]) if name in asked else None
        if name in asked and amounts[name] is None:
            return _NO_AMOUNT
    verdict = asked.get("verdict")
    return Criteria(
        text=asked.get("text"),
        partner=scope or asked.get("partner"),
        verdict=verdict if verdict in _VERDICTS else None,
        rule=asked.get("rule"),
        since=days["since"],
        until=days["until"],
        amount_from=amounts["from"],
        amount_to=amounts["to"],
    )
