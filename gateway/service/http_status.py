"""What a partner is told about an interchange of its own, out of the journal. Reads only.

Causes that speak of our side (a missing rule pack, a judge that died) are for operators: a
partner reads that its file is held, as in the report.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection

from gateway.core.acknowledgement.forms import Form
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.standing import Direction
from gateway.model.verdict import Language, Text
from gateway.service import messages
from gateway.service.journal import given_records, records, status_records
from gateway.service.settle import BROKER
from gateway.service.status_composing import PARTNER

PAGE = 100
"""Documents told of at once."""
FINDINGS = 50
"""Findings told of each document: enough to mend it; the report has them all."""
MAX_ORDINAL = 2**31 - 1

ROUTE = "/v1/interchanges"
ACKNOWLEDGEMENTS = "acknowledgements"
CDAR = "cdar"
"""What a lifecycle message is asked for by, where a report is by its form."""
LIST = "list"
"""What asks for the list of all that is ready."""

_HELD = Text(
    en="The gateway could not finish checking this; nothing has to be sent again.",
    fr="La passerelle n'a pas pu terminer le contrôle ; rien n'est à renvoyer.",
)


class Acknowledgement(msgspec.Struct, frozen=True):
    """A form of the newest report of an interchange: in `body`, or in the spool as `payload`.

    `status`: what a lifecycle message tells.
    """

    form: Form
    filename: str
    content_type: str
    body: bytes
    payload: str | None
    status: str | None = None


def own(conn: Connection, id_: str, partner: str) -> records.InterchangeRow | None:
    """The interchange, if it is this partner's."""
    row = records.interchange(conn, id_)
    return row if row is not None and row.partner == partner else None


def describe(
    conn: Connection, id_: str, partner: str, *, after: int, language: Language
) -> dict[str, Any] | None:
    """The interchange and its documents above `after`; None when the partner has none of this id.

    The language of the partner is not looked at: `language` was chosen by whoever asks.
    """
    row = own(conn, id_, partner)
    if row is None:
        return None
    page = records.documents_page(conn, id_, after=after, limit=PAGE + 1)
    shown = page[:PAGE]
    held = row.state is InterchangeState.QUARANTINED
    return {
        "id": row.id,
        "name": row.name,
        "size": row.size,
        "sha256": row.sha256,
        "received_at": row.received_at,
        "state": row.state,
        "flow": row.flow,
        "cause": _HELD.to(language) if held else row.cause,
        "counts": {
            "total": row.documents_total,
            "open": row.documents_open,
            "states": dict(sorted(records.document_states(conn, id_).items())),
            "verdicts": records.verdicts_of(conn, [id_]).get(id_, {}),
        },
        "documents": [_document(each, language) for each in shown],
        "next": f"{ROUTE}/{id_}?after={shown[-1].ordinal}&lang={language}"
        if len(page) > PAGE
        else None,
        "acknowledgements": f"{ROUTE}/{id_}/{ACKNOWLEDGEMENTS}",
    }


def acknowledgements(conn: Connection, id_: str) -> list[Acknowledgement]:
    """The newest report that may leave, in each form it has, the XML first; or nothing yet.

    The outbox lets one go to some destination or other when its turn has come and nobody holds it.
    """
    rows = [row for row in records.outbox_of(conn, id_, ordinals=(0,)) if row.kind == "report"]
    gone = {row.filename for row in rows if row.attempts}
    # What went to the broker is the same, perhaps as a claim check.
    reports = [row for row in rows if row.destination != BROKER and row.filename in gone]
    newest = {
        row.filename or "report.xml": row
        for row in reports
        if records.of_one(row.filename, reports[-1].filename)
    }
    return [
        Acknowledgement(
            form=Form(name.rpartition(".")[2]),
            filename=name,
            content_type=row.content_type,
            body=row.body,
            payload=row.payload,
        )
        for name, row in newest.items()
    ]


def lifecycle_message(
    conn: Connection, row: records.InterchangeRow, ordinal: int
) -> Acknowledgement | None:
    """The newest message that told a document's status (0: the file's), once it may leave."""
    told = _told(conn, row, ordinal)
    if not told:
        return None
    newest, status = told[-1]
    ids = (newest, messages.channel_id(newest, row.transport))
    broker, back = (records.outbox_named(conn, id_) for id_ in ids)
    if back is None or not (back.attempts or (broker is not None and broker.attempts)):
        return None
    return Acknowledgement(
        form=Form.XML,
        filename=back.filename or f"{newest}.xml",
        content_type=back.content_type,
        body=back.body,
        payload=back.payload,
        status=status,
    )


def _told(
    conn: Connection, row: records.InterchangeRow, ordinal: int
) -> list[tuple[str, str | None]]:
    """The messages that told the partner of a document (0: of the file), each with its status."""
    if ordinal:
        return [
            (each.message_id, each.status)
            for each in status_records.statuses_of_invoice(conn, row.id, ordinal)
            if each.direction == Direction.SENT and each.partner == row.partner
        ]
    given = given_records.given_between(conn, row.id, 0, 0).get((0, PARTNER))
    return [
        (each.message_id, None if given is None else given.status)
        for each in records.outbox_of(conn, row.id, ordinals=(0,))
        if each.kind == "cdar" and each.destination == BROKER
    ]


def listed(conn: Connection, row: records.InterchangeRow, *, after: int) -> dict[str, Any]:
    """Everything that lies ready for the partner: the report, and what tells of each document.

    Documents above `after`, so many at a time; the report and what tells of the file come first.
    """
    here = f"{ROUTE}/{row.id}/{ACKNOWLEDGEMENTS}"
    page = records.documents_page(conn, row.id, after=after, limit=PAGE + 1)
    ordinals = [each.ordinal for each in page[:PAGE]]
    ready = []
    if not after:
        ordinals.insert(0, 0)
        ready = [_ready(each, here) for each in acknowledgements(conn, row.id)]
    for ordinal in ordinals:
        told = lifecycle_message(conn, row, ordinal)
        if told is not None:
            ready.append(_ready(told, here, ordinal))
    more = f"{here}?form={LIST}&after={ordinals[-1]}" if len(page) > PAGE else None
    return {"id": row.id, "acknowledgements": ready, "next": more}


def _ready(each: Acknowledgement, here: str, ordinal: int | None = None) -> dict[str, Any]:
    """One line of the list; without `ordinal` it is a form of the report."""
    query = f"form={each.form}" if ordinal is None else f"form={CDAR}&document={ordinal}"
    return {
        "kind": "report" if ordinal is None else CDAR,
        "document": ordinal or None,
        "status": each.status,
        "filename": each.filename,
        "content_type": each.content_type,
        "uri": f"{here}?{query}",
    }


def _document(row: records.DocumentRow, language: Language) -> dict[str, Any]:
    findings = records.load_judgement(row).findings if row.judgement is not None else ()
    cause = None
    if row.state in (DocumentState.UNDETERMINED, DocumentState.QUARANTINED):
        cause = _HELD.to(language)
    elif row.state is DocumentState.DISCARDED:
        cause = row.cause
    return {
        "number": row.ordinal,
        "name": row.name,
        "state": row.state,
        "verdict": row.verdict,
        "cause": cause,
        "invoice_number": row.invoice_number,
        "findings_total": len(findings),
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity,
                "line": finding.line,
                "message": finding.message,
                "explanation": finding.explanation.to(language) if finding.explanation else None,
                "remedy": finding.remedy.to(language) if finding.remedy else None,
            }
            for finding in findings[:FINDINGS]
        ],
    }
