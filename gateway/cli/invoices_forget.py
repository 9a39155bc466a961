"""`edi-gateway invoices forget`: give back a number that was imported wrongly."""

from __future__ import annotations

import argparse
import json
from typing import Final

from gateway.cli import options
from gateway.cli.control_client import ask
from gateway.cli.invoices_named import add_seller_and_number, seller_and_number, year
from gateway.cli.operator import operator

WORDS: Final = "give back an invoice number that was imported wrongly; its invoice may come again"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    add_seller_and_number(parser)
    parser.add_argument("year", metavar="YEAR", type=year, help="its year of issue (BT-2)")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why: colleagues read this")
    parser.add_argument(
        "--dry-run", action="store_true", help="change nothing; say whether it could be forgotten"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options.add_configuration(parser)


def run(args: argparse.Namespace) -> int:
    """0 when it is forgotten; 3 when it was not imported; 2 when no gateway runs."""
    seller, number = seller_and_number(args)
    answer = ask(
        options.journal_path(args).parent,
        "invoices.forget",
        tells="edi-gateway invoices find SELLER NUMBER",
        by=operator(),
        invoice=(seller, number, args.year),
        reason=args.reason,
        dry_run=args.dry_run,
    )
    if args.json:
        said = {name: answer[name] for name in ("imported_at", "source", "statuses")}
        named = {"seller": seller, "number": number, "year": args.year}
        print(json.dumps(named | said | {"dry_run": args.dry_run}))
        return 0
    done = "would be forgotten" if args.dry_run else "is forgotten: it may come again"
    source = f" from {answer['source']}" if answer["source"] else ""
    print(
        f"Invoice {options.printable(number)} of {seller.partition(':')[2]} of {args.year} {done}."
        f" It was imported on {answer['imported_at'][:10]}{source}."
    )
    if answer["statuses"]:
        one = answer["statuses"] == 1
        statuses = options.some(answer["statuses"], "status that was", "statuses that were")
        wait = "would wait" if args.dry_run else "waits" if one else "wait"
        print(f"{statuses} told of it {wait} for the invoice.")
    return 0
