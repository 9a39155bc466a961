"""`edi-gateway replay ID…`: judged again, by today's gateway or the rules of another day.

With `--dry-run` the running gateway writes nothing: each document that would be judged otherwise is
listed, its verdict before and after, the rules it violates no more and those it newly violates.
Without it the verdicts are taken back, and the interchange goes through once more, to a new report.
Many at once, chosen by what is in them, are `replay_many`.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from tabulate import tabulate

from gateway.cli import options, replay_many
from gateway.cli.control_client import ask
from gateway.cli.one_interchange import the_interchange
from gateway.service.journal import open_reader

SECONDS = 3600.0
"""How long one interchange may take: an archive of 10,000 documents takes minutes."""

_WIDEST, _LONGEST = 60, 40


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    options.add_configuration(parser)
    parser.add_argument(
        "interchanges",
        nargs="*",
        metavar="ID",
        help="interchanges, or enough of the beginning of their ids",
    )
    parser.add_argument("--dry-run", action="store_true", help="only show what would change")
    parser.add_argument(
        "--rules",
        type=options.day,
        metavar="DATE",
        help="judge by the rule packs that are valid on this day, YYYY-MM-DD"
        " (default: the day it was received)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per interchange")
    replay_many.configure(parser)


def run(args: argparse.Namespace) -> int:
    """0 when it is under way, or nothing would change; 1 when something would; 2 for no gateway."""
    if replay_many.is_meant(args):
        return replay_many.run(args)
    journal = options.journal_path(args)
    with open_reader(journal).connect() as conn:
        find = "edi-gateway interchanges"
        chosen = [the_interchange(conn, each, find=find) for each in args.interchanges]
    changed = 0
    for id_ in dict.fromkeys(chosen):
        arguments: dict[str, Any] = {"interchange": id_}
        if args.rules is not None:
            arguments["rules"] = args.rules.isoformat()
        command = "replay.try" if args.dry_run else "replay.commit"
        answer = ask(journal.parent, command, tells="its log", seconds=SECONDS, **arguments)
        del answer["ok"]
        changed += answer.get("changed", 0)
        if args.json:
            print(json.dumps(answer, ensure_ascii=False))
        else:
            print(_words(answer) if args.dry_run else _under_way(answer))
    return 1 if changed else 0


def _under_way(answer: dict[str, Any]) -> str:
    id_, documents = answer["interchange"], answer["documents"]
    return f"{id_}: {documents} judged again. What comes of it: edi-gateway show {id_}"


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
