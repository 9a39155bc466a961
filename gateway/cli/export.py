"""`edi-gateway export`: everything of a period, with its evidence, as files that anybody can read.

Reads the journal and the spool only; the gateway may run.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from gateway.cli import options
from gateway.cli.operator import operator_uid
from gateway.cli.progress import Progress
from gateway.errors import ConfigurationError
from gateway.service.evidence import Reader
from gateway.service.evidence_folder import EvidenceIncomplete
from gateway.service.journal import open_reader, records
from gateway.service.journal.purge_records import aged, purged_of, still_open
from gateway.service.period import Export, alone
from gateway.spool import Spool

_SHOWN = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="a new folder, or that of an export that broke off: it goes on",
    )
    parser.add_argument(
        "--from",
        dest="first",
        required=True,
        type=options.day,
        metavar="DATE",
        help="the first day, YYYY-MM-DD, in the time zone of [legal]",
    )
    parser.add_argument(
        "--to", dest="last", required=True, type=options.day, metavar="DATE", help="the last day"
    )
    parser.add_argument("--partner", metavar="P", help="only what came from this partner")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options.add_configuration(parser)


def run(args: argparse.Namespace) -> int:
    """0; 1 when the period is not closed, or something is not there; 2 usage; 3 what failed."""
    if args.last < args.first:
        raise ConfigurationError(
            f"--to {args.last} is before --from {args.first}.", remedy="Exchange them."
        )
    loaded = options.configuration(args)
    zone = ZoneInfo(loaded.settings.legal.time_zone)
    since = dt.datetime.combine(args.first, dt.time(), zone).astimezone(dt.UTC)
    end = args.last + dt.timedelta(days=1)
    before = dt.datetime.combine(end, dt.time(), zone).astimezone(dt.UTC)
    with open_reader(loaded.state / "journal.sqlite").connect() as conn:
        told = _export(args, Reader(conn), Spool(loaded.state / "spool"), since, before)
    if args.json:
        print(json.dumps(told, default=str))
    else:
        print("\n".join(_lines(told, args.folder)))
    return 0 if told["closed"] and not told["incomplete"] else 1


def _export(
    args: argparse.Namespace,
    read: Reader,
    spool: Spool,
    since: dt.datetime,
    before: dt.datetime,
) -> dict[str, Any]:
    """Write it; what is odd about it."""
    export = Export(args.folder.absolute(), read, spool)
    with alone(export.root, "exporting into"):
        return _written(args, export, read, since, before)


def _written(
    args: argparse.Namespace,
    export: Export,
    read: Reader,
    since: dt.datetime,
    before: dt.datetime,
) -> dict[str, Any]:
    asked = {"from": str(args.first), "to": str(args.last), "partner": args.partner}
    export.claim(asked)
    now = dt.datetime.now(dt.UTC)
    still: list[tuple[str, str]] = []
    gone: list[tuple[str, str]] = []
    incomplete: list[tuple[str, str]] = []
    progress = Progress()
    number = 0
    try:
        export.drop_unfinished()
        for row in _rows(read, since, before, args.partner):
            why = read(partial(still_open, row=row))
            if why is not None:
                still.append((row.id, why))
            purged = read(partial(purged_of, interchange_id=row.id))
            if purged is not None:
                gone.append((row.id, purged.words))
            try:
                export.add(row)
            except EvidenceIncomplete as error:
                incomplete.append((row.id, str(error)))
            number += 1
            progress("exported", number, 0)
    finally:
        progress.end()
    who = f" from {args.partner}" if args.partner else ""
    told: dict[str, Any] = {
        "format": 1,
        "title": f"Received from {args.first} to {args.last}{who}",
        "asked": asked,
        "since": since,
        "before": before,
        "made_at": now,
        "by": operator_uid(),
        "closed": not still and before <= now,
        "over": before <= now,
        "open": still,
        "purged": gone,
        "incomplete": incomplete,
    }
    counted = export.finish(told)
    return told | msgspec.structs.asdict(counted)


def _rows(
    read: Reader, since: dt.datetime, before: dt.datetime, partner: str | None
) -> Iterator[records.InterchangeRow]:
    after = ""
    while True:

        def page(conn: Connection, after: str = after) -> list[records.InterchangeRow]:
            return aged(
                conn, since=since, before=before, partner=partner, after=after, and_purged=True
            )

        rows = read(page)
        if not rows:
            return
        yield from rows
        after = rows[-1].id


def _lines(told: dict[str, Any], folder: Path) -> Iterator[str]:
    yield (
        f"{options.some(told['interchanges'], 'interchange')},"
        f" {options.some(told['documents'], 'document')}, {options.some(told['files'], 'file')}"
        f" in {folder}"
    )
    yield f"To read: {folder / 'index.html'}. To check: sha256sum -c manifest.sha256"
    if not told["over"]:
        yield "The period is not over: more may come."
    for title, those in (
        ("not at their end yet, exported as they stand; export them again later", told["open"]),
        ("purged before: what is left of them is here", told["purged"]),
        ("NOT EXPORTED, for something of them is not there", told["incomplete"]),
    ):
        if those:
            yield f"{len(those)} {title}:"
            yield from (f"    {id_}: {options.printable(why)}" for id_, why in those[:_SHOWN])
            if len(those) > _SHOWN:
                yield f"    and {len(those) - _SHOWN} more; all of them are in export.json"
