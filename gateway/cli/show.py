"""`edi-gateway show ID`: everything the journal knows of one interchange."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection
from tabulate import tabulate

from gateway.cli import options, show_as2, show_statuses, show_svrl
from gateway.model.lifecycle import DocumentState
from gateway.model.publication import payload_uri
from gateway.model.verdict import Accepted, Finding, Judgement, Language
from gateway.service.journal import open_reader, records
from gateway.service.journal.delivery_records import interventions_of
from gateway.service.journal.given_records import owed_of
from gateway.spool import Spool

SHOWN = 20
"""Documents shown of one archive; the others on demand."""

_NEEDS_CAUSE = frozenset(
    {DocumentState.UNDETERMINED, DocumentState.QUARANTINED, DocumentState.DISCARDED}
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    options.add_configuration(parser)
    parser.add_argument("id", metavar="ID", help="interchange id, or enough of its beginning")
    options.add_language(parser)
    parser.add_argument(
        "--all", action="store_true", help=f"every document, also of more than {SHOWN}"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--svrl",
        type=Path,
        metavar="DIR",
        help="instead, have the running gateway make the SVRL report of every rule pack on these"
        " documents, and write them into this folder",
    )


def run(args: argparse.Namespace) -> int:
    """Print the interchange: 0; 2 when no or several interchanges have that id."""
    engine = open_reader(options.journal_path(args))
    language: Language = args.lang
    with engine.connect() as conn:
        found = records.interchange(conn, args.id)
        if found is None:
            rows = [
                row
                for row in records.list_interchanges(conn, search=args.id, limit=10)
                if row.id.startswith(args.id.lower())
            ]
            if len(rows) != 1:
                print(_not_one(args.id, [row.id for row in rows]), file=sys.stderr)
                return 2
            found = rows[0]
        documents = _documents(conn, found, everything=args.json or args.all)
        shown = None
        if len(documents) < found.documents_total:
            shown = [0, *(document.ordinal for document in documents)]
        transitions = records.transitions_of(conn, found.id, ordinals=shown)
        outbox = records.outbox_of(conn, found.id, ordinals=shown)
        states = records.document_states(conn, found.id)
        beside = list(_attachments(conn, found.id))
        by_as2 = records.as2_messages_of(conn, found.id)
        about = records.statuses_about(conn, found.id)
        told = records.statuses_told_in(conn, found.id)
        by_hand = interventions_of(conn, found.id)
        owed = owed_of(conn, found.id)
        gone = records.purged_of(conn, found.id)
    if args.svrl is not None:
        return show_svrl.write(options.journal_path(args).parent, documents, args.svrl)
    if args.json:
        shown_json = _as_json(found, documents, transitions, outbox, language)
        spool = Spool(options.journal_path(args).parent / "spool")
        shown_json["statuses_owed"] = msgspec.to_builtins(owed)
        shown_json["purged"] = msgspec.to_builtins(gone)
        shown_json["interventions"] = msgspec.to_builtins(by_hand)
        shown_json["as2"] = [show_as2.as_json(row, spool) for row in by_as2]
        for document in shown_json["documents"]:
            lifecycle = show_statuses.of_invoice(about, document["ordinal"])
            tells = [row for row in told if row.ordinal == document["ordinal"]]
            document["lifecycle"] = [show_statuses.as_json(row) for row in lifecycle]
            document["statuses"] = [show_statuses.as_json(row) for row in tells]
        print(json.dumps(shown_json))
        return 0
    print(
        tabulate(
            [
                ("interchange", found.id),
                ("file", f"{options.printable(found.name)} ({found.size} bytes)"),
                ("sha256", found.sha256),
                ("partner", f"{found.partner} by {found.transport}"),
                ("received", found.received_at.isoformat(timespec="seconds")),
                ("flow", found.flow or "none"),
                ("state", found.state.value),
                *([("cause", found.cause)] if found.cause else []),
                *([("payloads", options.printable(gone.words))] if gone is not None else []),
            ],
            tablefmt="plain",
            disable_numparse=True,
        )
    )
    if shown is not None:
        counted = ", ".join(f"{number} {state.value}" for state, number in sorted(states.items()))
        print(f"\n{options.some(found.documents_total or 0, 'document')}: {counted}.")
        print(f"Below are {len(documents)} that were not accepted; --all shows every document.")
    for document in documents:
        _print_document(document, language)
        lifecycle = show_statuses.of_invoice(about, document.ordinal)
        show_statuses.print_lifecycle(lifecycle, language)
        tells = [row for row in told if row.ordinal == document.ordinal]
        show_statuses.print_told(tells, language)
    for row in beside:
        name = options.printable(row.name)
        goes_with = f" beside {options.printable(row.beside)}" if row.beside else ""
        print(f"\n{row.role.value.capitalize()}: {name} ({row.size} bytes){goes_with}")
    for message in by_as2:
        show_as2.print_message(message)
    print("\nWhat happened")
    print(
        tabulate(
            [
                (
                    step.at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
                    f"document {step.ordinal}" if step.ordinal else "interchange",
                    step.new,
                    step.cause or "",
                )
                for step in transitions
            ],
            tablefmt="plain",
            disable_numparse=True,
        )
    )
    for done in by_hand:
        at = done.at.strftime("%Y-%m-%d %H:%M:%S")
        by = options.printable(done.by)
        print(f"{at}  {done.action} by {by}: {options.printable(done.subject)}")
    if owed is not None:
        said = f": {options.printable(owed.cause)}" if owed.cause else ""
        since = owed.waiting_since.strftime("%Y-%m-%d %H:%M:%S")
        print(f"\nStatuses of its invoices (CDAR) are still to be sent, since {since}{said}")
    print("\nWhat was sent")
    print(
        tabulate(
            [
                (
                    row.kind,
                    row.destination
                    if row.partner == found.partner
                    else f"{row.destination} {row.partner}",
                    _what(row),
                    row.state.value,
                    f"{row.attempts} attempts" if row.attempts > 1 else "",
                    row.last_error or _out(row),
                    row.message_id,
                )
                for row in outbox
                if row.kind != "event"
            ],
            tablefmt="plain",
            disable_numparse=True,
        )
    )
    return 0


def _out(row: records.OutboxRow) -> str:
    """What became of it in `out/`."""
    if row.fetched_at is not None:
        return f"fetched {row.fetched_at:%Y-%m-%d %H:%M:%S}"
    if row.expired_at is not None:
        return f"never fetched; removed {row.expired_at:%Y-%m-%d}"
    return ""


def _what(row: records.OutboxRow) -> str:
    """What a destination knows a message by."""
    if row.destination != "broker" or row.kind == "document":
        return row.filename or row.routing_key
    return f"{row.routing_key} {row.filename}" if row.filename else row.routing_key


def _documents(
    conn: Connection, found: records.InterchangeRow, *, everything: bool
) -> list[records.DocumentRow]:
    """All documents; of an archive of many, the first ones that were not accepted."""
    if everything or found.documents_total <= SHOWN:
        return records.documents_of(conn, found.id)
    kept: list[records.DocumentRow] = []
    after = 0
    while page := records.documents_page(conn, found.id, after=after, limit=200):
        kept += [row for row in page if row.verdict != "accepted"]
        if len(kept) >= SHOWN:
            break
        after = page[-1].ordinal
    return kept[:SHOWN]


def _attachments(conn: Connection, id_: str) -> Iterator[records.AttachmentRow]:
    after = 0
    while page := records.attachments_page(conn, id_, after=after):
        yield from page
        after = page[-1].position


def _print_document(document: records.DocumentRow, language: Language) -> None:
    # Once it is published, its state no longer says whether it was accepted.
    words = [document.verdict, document.state.value]
    said = ", ".join(dict.fromkeys(word for word in words if word))
    number = options.printable(document.invoice_number or "without a number that could be read")
    named = f" ({options.printable(document.name)})" if document.position else ""
    print(f"\nDocument {document.ordinal}{named}: {number}: {said}")
    if document.cause and document.state in _NEEDS_CAUSE:
        print(f"  {options.printable(document.cause)}")
    if document.judgement is None:
        return
    judgement = records.load_judgement(document)
    for finding in judgement.findings:
        print("  " + _line(finding, language))
        if finding.remedy:
            print("      " + finding.remedy.to(language))
    for file in _files(judgement):
        print(f"  attached {file['uri']} ({file['size']} bytes)")


def _files(judgement: Judgement) -> list[dict[str, Any]]:
    """What was attached inside an accepted invoice, and is in the spool."""
    if not isinstance(judgement.verdict, Accepted):
        return []
    return [{**msgspec.to_builtins(f), "uri": payload_uri(f.sha256)} for f in judgement.files]


def _line(finding: Finding, language: Language) -> str:
    where = f" line {finding.line}, column {finding.column}" if finding.line else ""
    text = finding.explanation.to(language) if finding.explanation else finding.message
    return f"{finding.severity.value} {finding.rule}{where}: {text}"


def _not_one(wanted: str, candidates: list[str]) -> str:
    if not candidates:
        return (
            f"No interchange has the id {wanted!r}."
            f" Find it with: edi-gateway interchanges --search {wanted}"
        )
    return f"Several interchanges begin with {wanted!r}:\n  " + "\n  ".join(candidates)


def _as_json(
    found: records.InterchangeRow,
    documents: list[records.DocumentRow],
    transitions: list[records.Transition],
    outbox: list[records.OutboxRow],
    language: Language,
) -> dict[str, Any]:
    def document(row: records.DocumentRow) -> dict[str, Any]:
        out: dict[str, Any] = msgspec.to_builtins(
            msgspec.structs.replace(row, judgement=None)  # its words follow, readable
        )
        judgement = records.load_judgement(row) if row.judgement else None
        out["judgement"] = judgement.to_json(found.name, language) if judgement else None
        out["files"] = _files(judgement) if judgement else []
        return out

    def message(row: records.OutboxRow) -> dict[str, Any]:
        out: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(row, body=b""))
        out["body"] = len(row.body)
        return out

    return {
        **msgspec.to_builtins(found),
        "documents": [document(row) for row in documents],
        "transitions": [msgspec.to_builtins(step) for step in transitions],
        "outbox": [message(row) for row in outbox],
    }
