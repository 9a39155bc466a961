"""`edi-gateway replay ID… --dry-run`: what today's gateway, or another day's rules, would say.

The running gateway judges the stored payloads again and writes nothing. Each document that would
be judged otherwise is listed: its verdict before and after, the rules it violates no more, and
those it newly violates.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from tabulate import tabulate

from gateway.cli import options
from gateway.cli.control_client import ask
from gateway.cli.one_interchange import the_interchange
from gateway.errors import ConfigurationError
from gateway.service.journal import open_reader

SECONDS = 3600.0
"""How long one interchange may take: an archive of 10,000 documents takes minutes."""

_WIDEST, _LONGEST = 60, 40


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    options.add_configuration(parser)
    parser.add_argument(
        "interchanges",
        nargs="+",
        metavar="ID",
        help="interchanges, or enough of the beginning of their ids",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only show what would change (must be given)"
    )
    parser.add_argument(
        "--rules",
        type=options.day,
        metavar="DATE",
        help="judge by the rule packs that are valid on this day, YYYY-MM-DD"
        " (default: the day it was received)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per interchange")


def run(args: argparse.Namespace) -> int:
    """0 when nothing would change, 1 when something would, 2 for a wrong call or no gateway."""
    if not args.dry_run:
        raise ConfigurationError(
            "A verdict that a partner was told is not taken back by this version.",
            remedy="Add --dry-run to see what would be different.",
        )
    journal = options.journal_path(args)
    with open_reader(journal).connect() as conn:
        find = "edi-gateway interchanges"
        chosen = [the_interchange(conn, each, find=find) for each in args.interchanges]
    changed = 0
    for id_ in dict.fromkeys(chosen):
        arguments: dict[str, Any] = {"interchange": id_}
        if args.rules is not None:
            arguments["rules"] = args.rules.isoformat()
        answer = ask(journal.parent, "replay.try", tells="its log", seconds=SECONDS, **arguments)
        del answer["ok"]
        changed += answer["changed"]
        print(json.dumps(answer, ensure_ascii=False) if args.json else _words(answer))
    return 1 if changed else 0


def _words(answer: dict[str, Any]) -> str:
    documents, changed = answer["documents"], answer["changed"]
    head = f"{answer['interchange']}: {documents} judged again, {changed} would change."
    rows = [
        (
            each["document"],
            options.shorten(each["name"], _LONGEST),
            each["before"],
            each["after"],
            ", ".join(each["gone"]),
            ", ".join(each["new"]) or options.printable(each["cause"] or ""),
        )
        for each in answer["differences"]
    ]
    if not rows:
        return head
    titles = ("document", "name", "before", "after", "no longer", "newly")
    table = tabulate(rows, headers=titles, maxcolwidths=[None, None, None, None, _WIDEST, _WIDEST])
    left = changed - len(rows)
    return "\n".join([head, table, *([f"… and {left} more."] if left else [])])
