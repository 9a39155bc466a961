"""`edi-gateway resend`: an acknowledgement or a publication once more, without judging again."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from gateway.cli import options
from gateway.cli.control_client import ask
from gateway.cli.one_interchange import the_interchange
from gateway.cli.operator import operator
from gateway.errors import ConfigurationError
from gateway.service.journal import open_reader

KINDS = ("report", "document", "cdar", "mdn")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.add_argument(
        "id", nargs="?", metavar="ID", help="interchange id, or enough of its beginning"
    )
    parser.add_argument(
        "--kind",
        choices=KINDS,
        help="what is sent again: its report (default), the results of its documents (default"
        " with --document), its lifecycle messages, its AS2 receipt",
    )
    parser.add_argument(
        "--document", type=options.count, metavar="N", help="only what is about this document"
    )
    parser.add_argument(
        "--to",
        choices=("broker", "partner", "portal"),
        help="only there (default: wherever it went; lifecycle messages to the portal as well)",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="every one that was sent, with those that newer ones replaced (default: the newest)",
    )
    parser.add_argument(
        "--message-id", default="", metavar="M", help="this one alone, as show prints its id"
    )
    parser.add_argument(
        "--dead", action="store_true", help="instead of ID: everything that is not tried any more"
    )
    parser.add_argument("--partner", default="", metavar="P", help="with --dead: only to this one")
    parser.add_argument("--destination", default="", metavar="D", help="with --dead: only there")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options.add_configuration(parser)


def run(args: argparse.Namespace) -> int:
    """0 when it is on its way, or nothing was dead; 2 when no gateway runs, 3 when it said no."""
    _check(args)
    journal = options.journal_path(args)
    command, arguments = ("resend.dead", _dead(args)) if args.dead else _one(args, journal)
    answer = ask(journal.parent, command, tells="edi-gateway queues", by=operator(), **arguments)
    if args.json:
        print(json.dumps(answer))
        return 0
    number = answer["messages"]
    messages = options.some(number, "message is", "messages are")
    if not number:
        print("Nothing was dead.")
    elif args.dead:
        print(f"{messages} tried again. What waits: edi-gateway queues")
    else:
        print(f"{messages} sent again. See: edi-gateway show {answer['interchange']}")
    return 0


def _dead(args: argparse.Namespace) -> dict[str, Any]:
    return {"partner": args.partner, "destination": args.destination}


def _one(args: argparse.Namespace, journal: Path) -> tuple[str, dict[str, Any]]:
    with open_reader(journal).connect() as conn:
        id_ = the_interchange(conn, args.id, find="edi-gateway interchanges --search TEXT")
    arguments: dict[str, Any] = {"interchange": id_}
    if args.message_id:
        return "resend", {**arguments, "message": args.message_id}
    arguments["kind"] = args.kind or ("document" if args.document is not None else "report")
    if args.document is not None:
        arguments["document"] = args.document
    if args.to is not None:
        arguments["to"] = args.to
    if args.all:
        arguments["every"] = True
    return "resend", arguments


def _check(args: argparse.Namespace) -> None:
    some = args.kind or args.document is not None or args.to or args.all
    one = some or args.message_id
    if args.dead == (args.id is not None) or (args.dead and one):
        raise ConfigurationError(
            "Either one interchange is sent again, or what is dead.",
            remedy="edi-gateway resend ID [--kind K] [--document N] [--to broker|partner|portal]"
            " [--all], edi-gateway resend ID --message-id M, or"
            " edi-gateway resend --dead [--partner P] [--destination D]",
        )
    if some and args.message_id:
        raise ConfigurationError(
            "--message-id names one message; nothing else can be said of it.",
            remedy="Leave --kind, --document, --to and --all out, or --message-id.",
        )
    if args.to == "portal" and args.kind != "cdar":
        raise ConfigurationError(
            "The portal is sent lifecycle messages alone.", remedy="Add --kind cdar."
        )
    if not args.dead and (args.partner or args.destination):
        raise ConfigurationError(
            "--partner and --destination go with --dead.", remedy="Use --to with an ID."
        )
    if args.document is not None and args.kind in ("report", "mdn"):
        raise ConfigurationError(
            f"A {args.kind} is about the whole interchange, not about one document.",
            remedy="Leave --document out, or use --kind document.",
        )
