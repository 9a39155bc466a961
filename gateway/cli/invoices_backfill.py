"""`edi-gateway invoices backfill`: numbers of what was accepted without holding any."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from gateway.cli import options
from gateway.cli.control_client import ask

WORDS: Final = (
    "have the invoices that an earlier version accepted hold their numbers: sent again, they are"
    " refused; needed once after an upgrade"
)
SHOWN: Final = 50
"""Repeated and unreadable invoices that are named; the others are counted."""
_COUNTS: Final = ("documents", "added", "listed", "off", "without_seller")
_EVERY: Final = 10_000
"""Documents between two words of progress."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    parser.add_argument(
        "--dry-run", action="store_true", help="change nothing; say what would be done"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options.add_configuration(parser)


def run(args: argparse.Namespace) -> int:
    """0; 1 when invoices could not be read and hold no number; 2 when no gateway runs."""
    total = _all(options.journal_path(args).parent, dry_run=args.dry_run)
    if args.json:
        print(json.dumps(total | {"dry_run": args.dry_run}))
    else:
        _say(total, dry_run=args.dry_run)
    return 1 if total["unreadable"] else 0


def _all(state: Path, *, dry_run: bool) -> dict[str, Any]:
    """Have the daemon go through its journal, page by page."""
    total: dict[str, Any] = {**dict.fromkeys(_COUNTS, 0), "repeats": [], "unreadable": []}
    after, told = None, _EVERY
    while True:
        answer = ask(
            state,
            "invoices.backfill",
            tells="starting it again, which adds nothing twice.",
            after=after,
            dry_run=dry_run,
        )
        for name in _COUNTS:
            total[name] += answer[name]
        for name in ("repeats", "unreadable"):
            total[name] += answer[name]
        after = answer["next"]
        if after is None:
            return total
        if total["documents"] >= told:
            told += _EVERY
            day = answer["received_at"][:10]
            documents = options.some(total["documents"], "document")
            print(f"{documents} looked at, up to {day} …", file=sys.stderr)


def _say(total: dict[str, Any], *, dry_run: bool) -> None:
    documents = options.some(total["documents"], "document")
    added = options.some(total["added"], "invoice")
    one = total["added"] == 1
    hold = "would hold" if dry_run else "holds" if one else "hold"
    whose = "its number" if one else "their numbers"
    print(f"{documents} looked at: {added} {hold} {whose}{'' if dry_run else ' now'}.")
    repeats, unreadable = total["repeats"], total["unreadable"]
    if repeats:
        print(f"{len(repeats)} have a number that another holds; nothing was changed about them:")
        _list([_repeat(each) for each in repeats])
    if total["listed"]:
        print(f"{total['listed']} are purged: their numbers come from the journal's own columns.")
    if total["without_seller"]:
        print(f"{total['without_seller']} name no seller that can be compared.")
    if total["off"]:
        print(f'{total["off"]} are of partners with uniqueness.invoice = "off".')
    if unreadable:
        print(f"{len(unreadable)} could not be read, and hold no number; import these numbers:")
        _list(unreadable)


def _repeat(each: dict[str, Any]) -> str:
    holder = "an imported number" if each["holder"] is None else f"document {each['holder']}"
    seller = each["seller"].partition(":")[2]
    return (
        f"{each['document']} ({options.shorten(each['name'], 60)}, {each['partner']}): invoice"
        f" {options.shorten(each['number'], 60)} of {seller} of {each['year']}, as {holder}"
    )


def _list(lines: list[str]) -> None:
    for line in lines[:SHOWN]:
        print(f"  {line}")
    if len(lines) > SHOWN:
        print(f"  … and {len(lines) - SHOWN} more (--json has them all)")
