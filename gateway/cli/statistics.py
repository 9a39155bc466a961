"""`edi-gateway statistics`: how much came, how, in what form, and why it was rejected.

From running totals that are written with each verdict, so the answer does not depend on how large
the journal is. `edi-gateway statistics rebuild` checks them against the journal.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from tabulate import tabulate

from gateway.cli import options, statistics_rebuild
from gateway.errors import ConfigurationError
from gateway.model.interchange import Environment
from gateway.service.journal import open_reader
from gateway.service.journal.statistics_read import (
    BY,
    Cause,
    Extent,
    Volume,
    causes,
    volumes,
)

CAUSES: Final = "cause"
"""The word for the rules that documents were rejected for."""
_UNKNOWN: Final = "(not known)"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    options.add_configuration(parser)
    parser.add_argument(
        "action",
        nargs="?",
        choices=["show", "rebuild"],
        default="show",
        help="rebuild: have the running gateway enter what an earlier version judged, and check"
        " every total against the journal",
    )
    parser.add_argument(
        "--by",
        default="month",
        metavar="WORDS",
        help=f"some of {', '.join((*BY, CAUSES))}, with commas between (default: month)",
    )
    parser.add_argument(
        "--since", type=options.day, metavar="DATE", help="received on this day or later (UTC)"
    )
    parser.add_argument(
        "--until", type=options.day, metavar="DATE", help="received on this day or before (UTC)"
    )
    for name in ("partner", "channel", "flow", "format", "profile"):
        parser.add_argument(f"--{name}", metavar="NAME", help=f"only of this {name}")
    parser.add_argument(
        "--environment",
        choices=[*Environment, "all"],
        default=Environment.PRODUCTION,
        help="what partners sent as tests, or that as well (default: production)",
    )
    parser.add_argument(
        "--limit",
        type=options.count,
        default=20,
        metavar="N",
        help="at most so many causes (default: 20)",
    )
    parser.add_argument("--dry-run", action="store_true", help="rebuild: change nothing, only say")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="one JSON object per line")
    shown.add_argument("--csv", action="store_true", help="a table for spreadsheets")


def run(args: argparse.Namespace) -> int:
    """Print them: 0. Of a rebuild 1 when totals were, or are, wrong."""
    if args.action == "rebuild":
        return statistics_rebuild.run(args)
    by = [word.strip() for word in args.by.split(",") if word.strip()]
    extent = Extent(
        since=args.since,
        until=args.until,
        environment=None if args.environment == "all" else args.environment,
        partner=args.partner,
        channel=args.channel,
        flow=args.flow,
        format=args.format,
        profile=args.profile,
    )
    with open_reader(options.journal_path(args)).connect() as conn:
        titles, rows = _read(conn, by, extent, args.limit)
    if args.json:
        for row in rows:
            print(json.dumps(dict(zip(titles, row, strict=True)), ensure_ascii=False))
    elif args.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([titles, *map(_cells, rows)])
    elif rows:
        print(tabulate([_words(row) for row in rows], headers=[_title(each) for each in titles]))
    else:
        print("Nothing was counted. Without options all that was ever judged is, month by month.")
    return 0


def _read(
    conn: sa.Connection, by: Sequence[str], extent: Extent, limit: int
) -> tuple[list[str], list[list[Any]]]:
    """Titles, and rows under them."""
    keys = [word for word in by if word != CAUSES]
    try:
        if CAUSES in by:
            rows = [_cause(each) for each in causes(conn, extent, by=keys, limit=limit)]
            return [*keys, "rule", "documents"], rows
        titles = [*keys, "documents", "accepted", "rejected", "rejection_rate"]
        return titles, [_volume(each) for each in volumes(conn, keys, extent)]
    except ValueError:
        raise ConfigurationError(
            f"--by: {','.join(by)!r} is not what statistics can be by.",
            remedy=f"Write each of these at most once: {', '.join((*BY, CAUSES))}; and either"
            " month or day.",
        ) from None


def _cause(each: Cause) -> list[Any]:
    return [*each.values, each.rule, each.documents]


def _volume(each: Volume) -> list[Any]:
    rate = round(each.rejection_rate, 4)
    return [*each.values, each.documents, each.accepted, each.rejected, rate]


def _cells(row: Iterable[Any]) -> list[Any]:
    """No formula: a spreadsheet would work out what a partner wrote (CWE-1236)."""
    risky = ("=", "+", "-", "@", "\t", "\r")
    return [
        f"'{each}" if isinstance(each, str) and each.startswith(risky) else each for each in row
    ]


def _title(name: str) -> str:
    return name.replace("_", " ")


def _words(row: Iterable[Any]) -> list[Any]:
    """Rates in per cent, and a word for what is not known."""
    words = []
    for value in row:
        if isinstance(value, float):
            words.append(f"{value:.1%}")
        else:
            words.append(_UNKNOWN if value == "" else value)
    return words
