"""`edi-gateway audit`: who did what, when, on what; in the console and by commands."""

from __future__ import annotations

import argparse

import msgspec
from tabulate import tabulate

from gateway.cli import options
from gateway.cli.one_interchange import the_interchange
from gateway.service.journal import open_reader
from gateway.service.journal.audit_records import deeds

_LONGEST = 60


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    options.add_configuration(parser)
    parser.add_argument("--by", default="", metavar="WHO", help="only what this one did")
    parser.add_argument(
        "--interchange", default="", metavar="ID", help="only what was done to this interchange"
    )
    parser.add_argument(
        "--limit", type=options.count, default=50, metavar="N", help="so many (default: 50)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per line")


def run(args: argparse.Namespace) -> int:
    """Print them, the newest first: 0."""
    with open_reader(options.journal_path(args)).connect() as conn:
        id_ = args.interchange
        if id_:
            id_ = the_interchange(conn, id_, find="edi-gateway interchanges")
        rows = deeds(conn, by=args.by, interchange_id=id_, limit=args.limit)
    if args.json:
        for row in rows:
            print(msgspec.json.encode(row).decode())
    elif rows:
        cells = [
            (
                f"{row.at:%Y-%m-%d %H:%M:%S}",
                options.shorten(row.by, _LONGEST),
                f"{row.via} {row.peer}".strip(),
                row.action,
                options.shorten(row.subject, _LONGEST),
                options.shorten(
                    f"{row.outcome.value}: {row.said}" if row.said else row.outcome.value, _LONGEST
                ),
            )
            for row in rows
        ]
        headers = ("when (UTC)", "who", "by way of", "what", "on what", "outcome")
        print(tabulate(cells, headers=headers, disable_numparse=True))
    else:
        print("Nobody has done anything yet.")
    return 0
