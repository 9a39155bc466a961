"""What was said of an interchange, and the AS2 evidence: tables whose rows can be downloaded."""

from __future__ import annotations

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.service.console.elements import chip, empty, lines, table
from gateway.service.console.visit import ROOT, Visit
from gateway.service.console.words import KINDS, moment, state_word
from gateway.service.journal import records
from gateway.service.journal.evidence_records import MessageHead
from gateway.service.journal.outbox_records import BROKER


def messages_table(visit: Visit, messages: list[MessageHead], *, gone: bool) -> Html:
    """Reports, statuses and results, each to download unless it is `gone`."""
    say, row = visit.say, visit.about
    if not messages:
        return empty(
            say(
                "Nothing yet. Its report is written when its last document has a verdict.",
                "Rien encore. Son rapport est écrit quand son dernier document a un verdict.",
            )
        )
    rows: list[list[Piece]] = []
    for each in messages:
        kind = KINDS[each.kind].to(visit.language) if each.kind in KINDS else each.kind
        name = each.filename or f"{kind} {each.ordinal or ''}".strip()
        path = f"{ROOT}/interchanges/{row.id}/messages/{each.id}"
        told: Piece = element("bdi", name)
        if not gone:
            told = element("a", told, href=path, download="")
        to = each.destination
        if not visit.scope and to != BROKER:
            to = f"{to} {each.partner}"
        rows.append(
            [
                told,
                kind,
                to,
                chip(*state_word(each.state.value, visit.language)),
                moment(visit, each.delivered_at),
                each.last_error if not visit.scope and each.state.value != "delivered" else "",
            ]
        )
    return table(
        say("Reports, statuses, results", "Rapports, statuts, résultats"),
        [
            say("File", "Fichier"),
            say("Kind", "Nature"),
            say("To", "Vers"),
            say("State", "État"),
            say("Arrived", "Arrivé"),
            say("Last error", "Dernière erreur"),
        ],
        rows,
    )


def as2_table(visit: Visit, rows: list[records.As2Row]) -> list[Piece]:
    """Messages with their receipts, to download."""
    if not rows:
        return []
    say, row = visit.say, visit.about
    cells: list[list[Piece]] = []
    for number, each in enumerate(rows, 1):
        if visit.scope not in ("", each.partner):
            continue
        path = f"{ROOT}/interchanges/{row.id}/as2/{number}"
        receipt: Piece = ""
        if each.mdn is not None:
            receipt = element("a", say("receipt", "accusé"), href=f"{path}/receipt", download="")
        body = element("a", say("message", "message"), href=f"{path}/body", download="")
        cells.append(
            [
                say("in", "entrant") if each.direction == "in" else say("out", "sortant"),
                element("bdi", each.message_id),
                moment(visit, each.at),
                each.mic or "",
                lines(body, receipt) if receipt else body,
            ]
        )
    return [
        element("h2", say("AS2 evidence", "Preuves AS2")),
        table(
            say("Messages with their receipts", "Messages avec leurs accusés"),
            [
                say("Direction", "Sens"),
                "Message-ID",
                say("When", "Quand"),
                "MIC",
                say("Download", "Télécharger"),
            ],
            cells,
        ),
    ]
