"""`edi-gateway interchanges`: the newest first, or those that fit a search."""

from __future__ import annotations

import argparse
import datetime as dt
import json

import msgspec
from tabulate import tabulate

from gateway.cli import options
from gateway.errors import ConfigurationError
from gateway.model.lifecycle import InterchangeState
from gateway.service.journal import open_reader, records

_HEADERS = ("id", "received (UTC)", "partner", "file", "flow", "state", "verdict", "cause")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    options.add_configuration(parser)
    parser.add_argument("--partner", metavar="NAME", help="only what this partner sent")
    parser.add_argument(
        "--state",
        choices=[s.value for s in InterchangeState],
        metavar="STATE",
        help=f"only those in this state: {', '.join(s.value for s in InterchangeState)}",
    )
    parser.add_argument(
        "--since", metavar="WHEN", help="ISO date or date-time (UTC), or an age: 30m, 12h, 7d"
    )
    parser.add_argument(
        "--search",
        metavar="TEXT",
        help="invoice number, seller or buyer id, file name, or the beginning of an id",
    )
    parser.add_argument(
        "--limit", type=options.count, default=50, metavar="N", help="at most so many (default: 50)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per line")


def run(args: argparse.Namespace) -> int:
    """Print the list: 0 also when it is empty."""
    since = moment(args.since, dt.datetime.now(dt.UTC)) if args.since else None
    engine = open_reader(options.journal_path(args))
    with engine.connect() as conn:
        rows = records.list_interchanges(
            conn,
            partner=args.partner,
            state=args.state,
            since=since,
            search=args.search,
            limit=args.limit,
        )
        verdicts = records.verdicts_of(conn, [row.id for row in rows])
    if args.json:
        for row in rows:
            verdict = {"verdicts": verdicts.get(row.id, {})}
            print(json.dumps(msgspec.to_builtins(row) | verdict))
        return 0
    if not rows:
        print("No interchange fits. Without options all are listed, the newest first.")
        return 0
    table = [
        (
            row.id,
            row.received_at.strftime("%Y-%m-%d %H:%M:%S"),
            row.partner,
            options.shorten(row.name, 40),
            row.flow or "",
            row.state.value,
            _verdict(verdicts.get(row.id, {})),
            options.shorten(row.cause or "", 50),
        )
        for row in rows
    ]
    print(
        tabulate(
            table,
            headers=_HEADERS,
            disable_numparse=True,
        )
    )
    return 0


def _verdict(verdicts: dict[str, int]) -> str:
    """`rejected` where there is one document, `2 accepted, 1 rejected` where there are several."""
    if sum(verdicts.values()) == 1:
        return next(iter(verdicts))
    return ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())


def moment(text: str, now: dt.datetime) -> dt.datetime:
    """The point in time `text` means: an ISO date or date-time, or an age before `now`."""
    units = {"m": "minutes", "h": "hours", "d": "days"}
    if text[:-1].isdigit() and text[-1:] in units:
        return now - dt.timedelta(**{units[text[-1]]: int(text[:-1])})
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"--since: {text!r} is neither a date nor an age.",
            remedy="Write 2026-03-01, 2026-03-01T08:30, 30m, 12h or 7d.",
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)
