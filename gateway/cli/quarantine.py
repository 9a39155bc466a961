"""`edi-gateway quarantine`: what the gateway could not judge, and what becomes of it.

`list` reads the journal only. `release` and `discard` ask the running daemon, the only one that
writes the journal.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection
from tabulate import tabulate

from gateway.cli import options
from gateway.cli.control_client import ask
from gateway.cli.one_interchange import the_interchange
from gateway.errors import ConfigurationError
from gateway.service.journal import open_reader, records
from gateway.service.journal.quarantine_records import (
    Quarantined,
    quarantined,
    quarantined_number,
)
from gateway.service.quarantine import MAX_REASON
from gateway.spool import Spool

_HEADERS = ("interchange", "document", "name", "partner", "flow", "since", "attempts", "cause")
_LIMIT = 100


def configure(parser: argparse.ArgumentParser) -> None:
    """Subcommands and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    words = "what is in quarantine, since when, why, and where its bytes are"
    listing = actions.add_parser("list", help=words, description=words)
    listing.add_argument(
        "--limit",
        type=options.count,
        default=_LIMIT,
        metavar="N",
        help=f"at most so many documents (default: {_LIMIT})",
    )
    listing.add_argument("--json", action="store_true", help="one JSON object per line")
    words = "have it judged again, once the cause is mended"
    release = actions.add_parser("release", help=words, description=words)
    words = "set it aside for good; the partner's report says so and asks to send it again"
    discard = actions.add_parser("discard", help=words, description=words)
    discard.add_argument(
        "--reason", required=True, metavar="TEXT", help="why: the partner reads this"
    )
    for action in (release, discard):
        action.add_argument("id", metavar="ID", help="interchange id, or enough of its beginning")
        action.add_argument(
            "--document",
            type=options.count,
            metavar="N",
            help="only this document (default: every one of it in quarantine)",
        )
        action.add_argument("--json", action="store_true", help="one JSON object")
    for action in (listing, release, discard):
        options.add_configuration(action)


def run(args: argparse.Namespace) -> int:
    """0 when it was done, also when there was nothing to do; 2 when no gateway runs."""
    journal = options.journal_path(args)
    if args.action == "list":
        return _list(args, journal)
    arguments: dict[str, Any] = {}
    if args.action == "discard":
        arguments["reason"] = _reason(args.reason)
    with open_reader(journal).connect() as conn:
        arguments["interchange"] = the_interchange(
            conn, args.id, find="edi-gateway quarantine list"
        )
        if args.document is not None:
            arguments["document"] = _the_document(conn, arguments["interchange"], args.document)
    answer = ask(journal.parent, f"quarantine.{args.action}", **arguments)
    if args.json:
        print(json.dumps(answer))
        return 0
    number, id_ = answer["documents"], answer["interchange"]
    if not number:
        what = f"Document {args.document}" if args.document else "No document"
        isnt = "is not" if args.document else "is"
        print(f"{what} of {id_} {isnt} in quarantine: nothing was changed.")
        return 0
    documents = options.some(number, "document")
    done = "released, to be judged again" if args.action == "release" else "discarded"
    print(f"{documents} of {id_} {done}. See what comes of it: edi-gateway show {id_}")
    return 0


def _list(args: argparse.Namespace, journal: Path) -> int:
    with open_reader(journal).connect() as conn:
        found = quarantined(conn, limit=args.limit)
        total = quarantined_number(conn)
    spool = Spool(journal.parent / "spool")
    if args.json:
        for document in found:
            said = msgspec.to_builtins(document) | {"payload": str(spool.path(document.sha256))}
            print(json.dumps(said))
        return 0
    if not found:
        print("Nothing is in quarantine.")
        return 0
    now = dt.datetime.now(dt.UTC)
    print(tabulate([_row(d, now) for d in found], headers=_HEADERS, disable_numparse=True))
    if total > len(found):
        print(f"… and {total - len(found)} more (--limit)")
    print("\nOriginal bytes:")
    for id_, sha256, name in dict.fromkeys(
        (d.interchange_id, d.sha256, d.file_name) for d in found
    ):
        print(f"  {id_} {options.shorten(name, 60)}\n    {spool.path(sha256)}")
    print(
        "\nOnce the cause is mended: edi-gateway quarantine release ID"
        "\nTo give it up, telling the partner: edi-gateway quarantine discard ID --reason TEXT"
    )
    return 0


def _row(document: Quarantined, now: dt.datetime) -> tuple[str, ...]:
    return (
        document.interchange_id,
        str(document.ordinal),
        options.shorten(document.name, 40),
        document.partner,
        document.flow or "",
        f"{options.age(now, document.since)} ago",
        str(document.attempts),
        options.shorten(document.cause or "", 80),
    )


def _reason(text: str) -> str:
    if not text.strip() or len(text) > MAX_REASON:
        raise ConfigurationError(
            "--reason is empty." if not text.strip() else f"--reason has {len(text)} characters.",
            remedy=f"The partner reads it: say why in at most {MAX_REASON} characters.",
        )
    return text


def _the_document(conn: Connection, interchange_id: str, ordinal: int) -> int:
    if records.document(conn, interchange_id, ordinal) is None:
        raise ConfigurationError(
            f"Interchange {interchange_id} has no document {ordinal}.",
            remedy=f"Look at it with: edi-gateway show {interchange_id}",
        )
    return ordinal
