"""One interchange: how it stands, its documents with findings, what happened, what was said."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.service.console.doing import done
from gateway.service.console.elements import chip, empty, facts, form, lines, link
from gateway.service.console.findings import listed
from gateway.service.console.interchange_list import verdict_chips
from gateway.service.console.layout import page
from gateway.service.console.said import as2_table, messages_table
from gateway.service.console.sources import Sources
from gateway.service.console.svrl_links import svrl_links
from gateway.service.console.timeline import timeline
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Route, Visit
from gateway.service.console.words import HELD_BY_US, count, moment, size, state_word
from gateway.service.http_server import Answer
from gateway.service.journal import records
from gateway.service.journal.audit_records import Deed, deeds
from gateway.service.journal.console_records import documents_to_mend, messages_said
from gateway.service.journal.evidence_records import MessageHead
from gateway.service.journal.purge_records import Purged

DOCUMENTS: Final = 20
FINDINGS: Final = 5
MESSAGES: Final = 200
DEEDS: Final = 50


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    documents: list[records.DocumentRow]
    more: bool
    verdicts: dict[str, int]
    states: dict[DocumentState, int]
    steps: list[records.Transition]
    deeds: list[Deed]
    messages: list[MessageHead]
    as2: list[records.As2Row]
    purged: Purged | None


class InterchangePage:
    """The page of one."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        path = f"{ROOT}/interchanges/{{interchange}}"
        return [Route(method="GET", path=path, page=self.show, scoped=True)]

    async def show(self, visit: Visit) -> Answer:
        """All of it, documents page by page."""
        row = visit.about
        after = visit.number("after")
        everything = visit.query.get("documents") == "all"
        found = await self._sources.reader.read(
            "interchange", lambda conn: _look(conn, visit, after, everything=everything)
        )
        word, tone = state_word(row.state.value, visit.language)
        pieces: list[Piece] = [
            done(visit),
            element(
                "p",
                chip(word, tone),
                " ",
                verdict_chips(visit, found.verdicts),
                class_="actions",
            ),
            self._actions(visit, found),
            element(
                "div",
                element(
                    "div",
                    element("h2", visit.say("Documents", "Documents")),
                    *self._documents(visit, found, after, everything=everything),
                ),
                element(
                    "div",
                    element("section", self._facts(visit, found), class_="card"),
                    element(
                        "section",
                        element("h2", visit.say("What happened", "Ce qui s'est passé")),
                        timeline(visit, found.steps, found.deeds, found.messages),
                        class_="card",
                    ),
                ),
                class_="main-aside",
            ),
            element("h2", visit.say("What was said of it", "Ce qui en a été dit")),
            messages_table(visit, found.messages, gone=found.purged is not None),
            *as2_table(visit, found.as2),
        ]
        return page(visit, row.name, *pieces, active="interchanges")

    def _facts(self, visit: Visit, found: _Found) -> Html:
        row, say = visit.about, visit.say
        ours = row.state is InterchangeState.QUARANTINED
        cause = HELD_BY_US.to(visit.language) if ours and visit.scope else row.cause
        gone = found.purged
        return facts(
            [
                (say("Cause", "Cause"), cause or None),
                (say("Partner", "Partenaire"), row.partner),
                (say("Received", "Reçu"), lines(moment(visit, row.received_at), row.transport)),
                (say("Flow", "Flux"), row.flow or say("not chosen yet", "pas encore choisi")),
                (say("Size", "Taille"), size(visit, row.size)),
                (
                    say("Rules of", "Règles du"),
                    f"{row.rules_on}" if row.rules_on is not None else None,
                ),
                (
                    say("Payloads", "Contenus"),
                    None
                    if gone is None
                    else (gone.words if not visit.scope else say("gone", "effacés")),
                ),
                (say("Id", "Identifiant"), element("span", row.id, class_="mono")),
                ("SHA-256", element("span", row.sha256, class_="mono")),
            ]
        )

    def _actions(self, visit: Visit, found: _Found) -> Html:
        row, say = visit.about, visit.say
        here = f"/interchanges/{row.id}"
        pieces: list[Piece] = []
        if visit.may(Role.OPERATOR) and found.states.get(DocumentState.QUARANTINED):
            pieces += [
                form(
                    visit,
                    f"{here}/release",
                    element("button", say("Release: judge again", "Libérer : contrôler à nouveau")),
                ),
                element(
                    "a",
                    say("Set aside …", "Mettre de côté …"),
                    href=f"{ROOT}{here}/discard",
                    class_="button second",
                ),
            ]
        if visit.may(Role.OPERATOR) and found.purged is None:
            if row.state is InterchangeState.ACKNOWLEDGED:
                pieces.append(
                    element(
                        "a",
                        say("Replay …", "Rejouer …"),
                        href=f"{ROOT}{here}/replay",
                        class_="button second",
                    )
                )
            if any(each.kind == "report" for each in found.messages):
                pieces.append(
                    form(
                        visit,
                        f"{here}/resend",
                        element(
                            "button",
                            say("Send the report again", "Renvoyer le rapport"),
                            class_="second",
                        ),
                    )
                )
        if found.purged is None:
            pieces.append(
                element(
                    "a",
                    say("Download the original", "Télécharger l'original"),
                    href=f"{ROOT}{here}/original",
                    class_="button second",
                    download="",
                )
            )
        return element("div", *pieces, class_="actions")

    def _documents(
        self, visit: Visit, found: _Found, after: int, *, everything: bool
    ) -> list[Piece]:
        row, say = visit.about, visit.say
        here = f"/interchanges/{row.id}"
        pieces: list[Piece] = []
        total = sum(found.states.values())
        problems = total - found.verdicts.get("accepted", 0)
        if 0 < problems < total:
            shown_all = everything
            words = (
                say("Show only those not accepted", "N'afficher que les non acceptés")
                if shown_all
                else say(f"Show all {count(visit, total)}", f"Afficher les {count(visit, total)}")
            )
            query = "" if shown_all else "?documents=all"
            told = say(
                f"{count(visit, problems)} of {count(visit, total)} documents were not accepted. ",
                f"{count(visit, problems)} documents sur {count(visit, total)} n'ont pas été"
                " acceptés. ",
            )
            pieces.append(element("p", told, link(words, f"{here}{query}")))
        for document in found.documents:
            pieces.append(self._document(visit, document, gone=found.purged is not None))
        if not found.documents:
            pieces.append(
                empty(
                    say(
                        "No document has come out of this file yet. An archive is unpacked first;"
                        " a file that cannot be read at all is refused, and its report says why.",
                        "Aucun document n'est encore sorti de ce fichier. Une archive est d'abord"
                        " ouverte ; un fichier illisible est refusé, et son rapport dit pourquoi.",
                    )
                )
            )
        if found.more:
            kept = "documents=all&" if everything else ""
            last = found.documents[-1].ordinal
            pieces.append(
                element(
                    "p",
                    link(say("Next documents", "Documents suivants"), f"{here}?{kept}after={last}"),
                    class_="pages",
                )
            )
        return pieces

    def _document(self, visit: Visit, document: records.DocumentRow, *, gone: bool) -> Html:
        say = visit.say
        here = f"/interchanges/{document.interchange_id}/documents/{document.ordinal}"
        number = document.invoice_number or say("number not read", "numéro non lu")
        judgement = records.load_judgement(document) if document.judgement is not None else None
        pieces: list[Piece] = [
            element("h3", link(element("bdi", number), here), " ", *stands(visit, document)),
            element("p", element("bdi", document.name), class_="soft")
            if document.position is not None
            else None,
            cause_of(visit, document),
        ]
        if judgement is not None:
            more = link(say("All of them", "Tous"), here)
            pieces.append(listed(visit, judgement.findings, FINDINGS, more))
            links = None if gone else svrl_links(document)
            if links is not None:
                pieces.append(element("p", "SVRL: ", links, class_="soft"))
        return element("article", *pieces, class_="card")


def stands(visit: Visit, document: records.DocumentRow) -> list[Piece]:
    """How a document stands, in one or two words."""
    shown = dict.fromkeys(word for word in (document.verdict, document.state.value) if word)
    if document.verdict == "rejected":
        shown.pop("published", None)  # that the rejection was published makes it no better
    return [lines(*(chip(*state_word(word, visit.language)) for word in shown))]


def cause_of(visit: Visit, document: records.DocumentRow) -> Html | None:
    """Why it is not judged, or was set aside; a failure of ours is not told to the partner."""
    if document.state in (DocumentState.UNDETERMINED, DocumentState.QUARANTINED):
        words = HELD_BY_US.to(visit.language) if visit.scope else document.cause
    elif document.state is DocumentState.DISCARDED:
        words = document.cause
    else:
        return None
    return element("p", words, class_="note") if words else None


def _look(conn: Connection, visit: Visit, after: int, *, everything: bool) -> _Found:
    row = visit.about
    verdicts = records.verdicts_of(conn, [row.id]).get(row.id, {})
    states = records.document_states(conn, row.id)
    some = sum(states.values()) > verdicts.get("accepted", 0) > 0
    if some and not everything:
        shown = documents_to_mend(conn, row.id, after=after, limit=DOCUMENTS + 1)
    else:
        shown = records.documents_page(conn, row.id, after=after, limit=DOCUMENTS + 1)
    documents = shown[:DOCUMENTS]
    ordinals = [0, *(each.ordinal for each in documents)]
    return _Found(
        documents=documents,
        more=len(shown) > DOCUMENTS,
        verdicts=verdicts,
        states=states,
        steps=records.transitions_of(conn, row.id, ordinals=ordinals),
        deeds=[] if visit.scope else deeds(conn, interchange_id=row.id, limit=DEEDS),
        messages=messages_said(conn, row.id, partner=visit.scope, limit=MESSAGES),
        as2=records.as2_messages_of(conn, row.id)[:20],
        purged=records.purged_of(conn, row.id),
    )
