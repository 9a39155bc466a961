"""What the gateway could not judge: since when, why, and the way out."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.service.console.elements import empty, form, lines, link, table
from gateway.service.console.layout import page
from gateway.service.console.sources import Sources
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Route, Visit
from gateway.service.console.words import count, since
from gateway.service.http_server import Answer
from gateway.service.journal.quarantine_records import (
    Quarantined,
    quarantined,
    quarantined_number,
)

SHOWN: Final = 100


class QuarantinePage:
    """The list. What is done stands with the interchange (`acting`)."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [Route(method="GET", path=f"{ROOT}/quarantine", page=self.show)]

    async def show(self, visit: Visit) -> Answer:
        """Documents, those of the oldest interchange first."""

        def look(conn: Connection) -> tuple[list[Quarantined], int]:
            rows = quarantined(conn, limit=SHOWN)
            return rows, quarantined_number(conn) if len(rows) == SHOWN else len(rows)

        rows, number = await self._sources.reader.read("quarantine", look)
        say = visit.say
        if not rows:
            content: list[Piece] = [
                empty(
                    say(
                        "Nothing is here. A document comes here when the gateway itself could not"
                        " judge it, after several attempts: a rule pack is missing, or a judge"
                        " failed. It is never rejected for that; its bytes are kept, and its sender"
                        " is told that nothing has to be sent again.",
                        "Rien ici. Un document arrive en quarantaine quand la passerelle elle-même"
                        " n'a pas pu le contrôler, après plusieurs essais : un paquet de règles"
                        " manque, ou un contrôleur a échoué. Il n'est jamais rejeté pour cela ; ses"
                        " octets sont conservés et son expéditeur sait qu'il n'a rien à renvoyer.",
                    )
                )
            ]
        else:
            content = [
                element(
                    "p",
                    say(
                        "Mend the cause first, then release: it is judged again with all its"
                        " attempts.",
                        "Corrigez d'abord la cause, puis libérez : le contrôle reprend avec tous"
                        " ses essais.",
                    ),
                ),
                self._table(visit, rows),
            ]
            if number > len(rows):
                left = count(visit, number - len(rows))
                content.append(element("p", say(f"And {left} more.", f"Et {left} de plus.")))
        return page(
            visit,
            say("Quarantine", "Quarantaine"),
            *content,
            active="quarantine",
            live=True,
        )

    def _table(self, visit: Visit, rows: list[Quarantined]) -> Html:
        say, now = visit.say, self._sources.now()
        cells: list[list[Piece]] = []
        seen: set[str] = set()
        for each in rows:
            here = f"/interchanges/{each.interchange_id}"
            buttons: Piece = ""
            if visit.may(Role.OPERATOR) and each.interchange_id not in seen:
                seen.add(each.interchange_id)
                buttons = lines(
                    form(
                        visit,
                        f"{here}/release",
                        element("button", say("Release", "Libérer"), class_="small"),
                    ),
                    link(say("Set aside …", "Mettre de côté …"), f"{here}/discard"),
                )
            cells.append(
                [
                    link(element("bdi", each.file_name), here),
                    element("bdi", each.name) if each.position is not None else "",
                    each.partner,
                    since(visit, now, each.since),
                    count(visit, each.attempts),
                    each.cause or "",
                    buttons,
                ]
            )
        return table(
            say("The oldest first", "Les plus anciens d'abord"),
            [
                say("File", "Fichier"),
                say("Document", "Document"),
                say("Partner", "Partenaire"),
                say("Since", "Depuis"),
                say("Attempts", "Essais"),
                say("Why", "Pourquoi"),
                say("What to do", "Que faire"),
            ],
            cells,
        )
