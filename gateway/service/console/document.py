"""One document: every finding explained, and the canonical invoice as people read one."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.model.verdict import Accepted
from gateway.service.console import notices
from gateway.service.console.elements import facts, link
from gateway.service.console.findings import listed
from gateway.service.console.interchange import cause_of, stands
from gateway.service.console.invoice import readable
from gateway.service.console.layout import page
from gateway.service.console.sources import Sources
from gateway.service.console.svrl_links import svrl_links
from gateway.service.console.visit import ROOT, Route, Visit
from gateway.service.http_server import Answer
from gateway.service.journal import records
from gateway.service.journal.console_records import result_head
from gateway.service.journal.evidence_records import MessageHead, body_of
from gateway.service.journal.purge_records import CLAIM_CHECK

FINDINGS: Final = 100
MOST_SHOWN: Final = 2_000_000
"""Bytes of an invoice that is shown; a larger one is there to download."""


class DocumentPage:
    """The page of one document."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        path = f"{ROOT}/interchanges/{{interchange}}/documents/{{n}}"
        return [Route(method="GET", path=path, page=self.show, scoped=True)]

    async def show(self, visit: Visit) -> Answer:
        """All of it."""
        row, ordinal = visit.about, int(visit.words["n"])

        def look(
            conn: Connection,
        ) -> tuple[records.DocumentRow | None, MessageHead | None, bytes, bool]:
            document = records.document(conn, row.id, ordinal)
            head = result_head(conn, row.id, ordinal)
            body = b""
            if head is not None and CLAIM_CHECK not in head.headers:
                body = body_of(conn, head.id)
            return document, head, body, records.purged_of(conn, row.id) is not None

        document, head, body, purged = await self._sources.reader.read("document", look)
        if document is None:
            return notices.not_found(visit.language)
        judgement = records.load_judgement(document) if document.judgement is not None else None
        title = document.invoice_number or visit.say("number not read", "numéro non lu")
        pieces: list[Piece] = [
            element(
                "p",
                link(element("bdi", row.name), f"/interchanges/{row.id}"),
                f" – document {ordinal}",
                class_="crumbs",
            ),
            element("p", *stands(visit, document)),
            cause_of(visit, document),
            self._facts(visit, document, purged=purged),
        ]
        if judgement is not None and judgement.findings:
            pieces.append(element("h2", visit.say("Findings", "Constats")))
            pieces.append(listed(visit, judgement.findings, FINDINGS))
        elif judgement is not None:
            said = visit.say("No rule has anything to object.", "Aucune règle n'a rien à objecter.")
            pieces.append(element("p", said, class_="calm"))
        if judgement is not None and isinstance(judgement.verdict, Accepted) and head is not None:
            pieces.append(await self._invoice(visit, document, head, body))
        return page(visit, title, *pieces, active="interchanges")

    async def _invoice(
        self, visit: Visit, document: records.DocumentRow, head: MessageHead, body: bytes
    ) -> Html | None:
        if document.document_type == "status":
            return None
        beside = head.headers.get(CLAIM_CHECK)
        if beside is not None:
            path = self._sources.spool.path(str(beside))

            def read() -> bytes:
                return path.read_bytes() if path.stat().st_size <= MOST_SHOWN else b""

            try:
                body = await self._sources.in_thread(read)
            except OSError:
                body = b""
        if not body or len(body) > MOST_SHOWN:
            return element(
                "p",
                visit.say(
                    "The canonical invoice is too long to be shown, or is not kept any more.",
                    "La facture canonique est trop longue pour être affichée, ou n'est plus"
                    " conservée.",
                ),
            )
        return readable(visit, body)

    def _facts(self, visit: Visit, document: records.DocumentRow, *, purged: bool) -> Html:
        say = visit.say
        judgement = records.load_judgement(document) if document.judgement is not None else None
        rules = judgement.rules if judgement is not None else ()
        return facts(
            [
                (say("File", "Fichier"), element("bdi", document.name)),
                (say("Issued", "Émise le"), document.issue_date),
                (say("Seller", "Vendeur"), document.seller_id),
                (say("Buyer", "Acheteur"), document.buyer_id),
                (say("Flow", "Flux"), document.flow),
                (say("Syntax", "Syntaxe"), document.syntax),
                (say("Profile", "Profil"), document.profile),
                (
                    say("Judged by", "Contrôlé selon"),
                    ", ".join(f"{each.pack} {each.version}" for each in rules) or None,
                ),
                (
                    say("What they say (SVRL)", "Ce qu'elles disent (SVRL)"),
                    None if purged else svrl_links(document),
                ),
            ]
        )
