"""`edi-gateway purge`: payloads that nobody has to keep any more go, their metadata stays.

First everything that goes is archived, durably, in the format of `edi-gateway export`; then the
running gateway, or this process while none runs, says so in the journal and frees the disk.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection

from gateway.cli import options
from gateway.cli.desk import Desk, open_desk
from gateway.cli.operator import operator_uid
from gateway.cli.progress import Progress
from gateway.cli.purge_done import Done
from gateway.config import Configuration
from gateway.errors import ConfigurationError
from gateway.service.control import Handler
from gateway.service.evidence import Reader, folder_of
from gateway.service.evidence_folder import EvidenceIncomplete
from gateway.service.journal import open_reader, records
from gateway.service.journal.direct import DirectJournal, in_this_thread
from gateway.service.journal.purge_records import aged, version_of
from gateway.service.period import Export, alone, unfinished
from gateway.service.purging import COMPACT_PAGES, Purging, kept_back
from gateway.spool import Spool

AT_ONCE = 20
"""Interchanges between one command and the next."""
_WORTH_REWRITING = 0.1
"""Of the journal's file: with less empty room it is not written anew."""

_DURATION = re.compile(r"([0-9]{1,5})([dwmy])")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.add_argument(
        "--older-than",
        required=True,
        type=moment,
        metavar="DATE|DURATION",
        help="what was received, and changed last, before that: 2026-01-01, 90d, 12w, 18m, 10y."
        " What its retention class or a legal hold keeps stays, however old it is",
    )
    parser.add_argument("--partner", metavar="P", help="only what came from this partner")
    parser.add_argument("--dry-run", action="store_true", help="only say what would go, and stay")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--archive",
        type=Path,
        metavar="DIR",
        help="first write all that goes into a new folder in there, best on another disk",
    )
    where.add_argument(
        "--no-archive", action="store_true", help="nothing is to be had of it any more"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options.add_configuration(parser)


def moment(text: str) -> dt.datetime:
    """An option's value that is a day, or how long ago."""
    now = dt.datetime.now(dt.UTC)
    found = _DURATION.fullmatch(text)
    if found is None:
        return dt.datetime.combine(options.day(text), dt.time(), dt.UTC)
    number = int(found[1])
    days = {"d": 1, "w": 7}.get(found[2])
    try:
        if days is not None:
            return now - dt.timedelta(days=number * days)
        months = now.year * 12 + now.month - 1 - number * {"m": 1, "y": 12}[found[2]]
        first = now.replace(year=months // 12, month=months % 12 + 1, day=1)
        # The 31st of a month that has none is its last day.
        following = (first.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
        return first.replace(day=min(now.day, (following - dt.timedelta(days=1)).day))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is before the calendar begins") from None


def run(args: argparse.Namespace) -> int:
    """0; 1 when something that could go was not in the spool; 2 usage; 3 what failed."""
    if not (args.dry_run or args.archive or args.no_archive):
        raise ConfigurationError(
            "Where is what goes to be archived?",
            remedy="Name --archive DIR, or --no-archive when nobody needs it any more; or look"
            " first with --dry-run.",
        )
    if args.state_dir is not None and args.config is None:
        raise ConfigurationError(
            f"Which settings belong to {args.state_dir}? How long each partner's payloads are kept"
            " stands there.",
            remedy="Name them with --config.",
        )
    loaded = options.configuration(args)
    if args.dry_run:
        with open_reader(loaded.state / "journal.sqlite").connect() as conn:
            purge = _Purge(args, loaded, Reader(conn))
            purge.look()
        _print(args, purge.done)
        return 0

    def build(journal: DirectJournal) -> Mapping[str, Handler]:
        return Purging(
            journal,
            spool=Spool(loaded.state / "spool"),
            in_thread=in_this_thread,
            partners=loaded.partners,
            retention=lambda: loaded.settings.retention,
            log=structlog.wrap_logger(structlog.testing.ReturnLogger(), processors=[]),
            grace_seconds=0.0,  # nobody receives anything meanwhile
        ).handlers()

    with (
        alone(loaded.state, "purging"),
        open_desk(loaded.state, build, tells="edi-gateway show ID") as desk,
        open_reader(loaded.state / "journal.sqlite").connect() as conn,
    ):
        purge = _Purge(args, loaded, Reader(conn))
        purge.go(desk)
    _print(args, purge.done)
    return 1 if purge.done.damaged else 0


def _print(args: argparse.Namespace, done: Done) -> None:
    if args.json:
        print(json.dumps({"older_than": args.older_than.isoformat(), **done.as_json()}))
    else:
        print("\n".join(done.lines()))


class _Purge:
    """One run: what it found, and what came of it."""

    def __init__(self, args: argparse.Namespace, loaded: Configuration, read: Reader) -> None:
        self._args = args
        self._loaded = loaded
        self._read = read
        self._now = dt.datetime.now(dt.UTC)
        self._by = operator_uid()
        self._journal = loaded.state / "journal.sqlite"
        # Several gateways may share the folder of archives: each goes on with its own runs.
        mine = hashlib.sha256(f"{socket.gethostname()} {loaded.state}".encode()).hexdigest()
        self._run = f"purge-{mine[:8]}-"
        self._export: Export | None = None
        self.done = Done(dry_run=args.dry_run)

    def look(self) -> None:
        """Only find what would go."""
        self.done.purged = [row.id for row in self._candidates()]

    def go(self, desk: Desk) -> None:
        """Archive, purge, free."""
        while self._took(desk.ask("purge.unfinished")):
            pass
        page: list[tuple[str, str, str | None]] = []
        progress = Progress()
        try:
            for row in self._candidates():
                progress("purged", len(self.done.purged), 0)
                try:
                    version, where = self._archived(row)
                except EvidenceIncomplete as error:
                    self.done.damaged.append((row.id, str(error)))
                    continue
                page.append((row.id, version, where))
                if len(page) == AT_ONCE:
                    self._purge(desk, page)
                    page = []
            self._purge(desk, page)
        finally:
            progress.end()
        self._finish()
        self._compact(desk)

    def _candidates(self) -> Iterator[records.InterchangeRow]:
        """What may go. What may not, and why, is noted."""
        after = ""
        partners, settings = self._loaded.partners, self._loaded.settings.retention
        before, partner = self._args.older_than, self._args.partner
        while True:

            def page(conn: Connection, after: str = after) -> list[records.InterchangeRow]:
                return aged(conn, before=before, partner=partner, after=after)

            rows = self._read(page)
            if not rows:
                return
            after = rows[-1].id
            for row in rows:

                def look(conn: Connection, row: records.InterchangeRow = row) -> str | None:
                    return kept_back(conn, row, partners, settings, self._now)

                why = self._read(look)
                if why is None and row.updated_at >= before:
                    why = f"it changed later, on {row.updated_at:%Y-%m-%d}"
                if why is None:
                    yield row
                else:
                    self.done.skip(row.id, why)

    def _archived(self, row: records.InterchangeRow) -> tuple[str, str | None]:
        """The version of an interchange that is in the archive now, and where; if one is wanted."""
        if self._args.no_archive:
            return self._read(lambda conn: version_of(conn, row.id)), None
        if self._export is None:
            self._export = self._opened(self._unfinished() or [self._new_run()])
            self.done.archive = self._export.root
        return self._export.add(row), str(self._export.root / folder_of(row))

    def _opened(self, runs: list[Path]) -> Export:
        """The last of these folders, with what lies there of a run that was killed."""
        export = Export(runs[-1], self._read, Spool(self._loaded.state / "spool"))
        export.drop_unfinished()
        return export

    def _unfinished(self) -> list[Path]:
        return unfinished(self._archive(), self._run)

    def _new_run(self) -> Path:
        return self._archive() / f"{self._run}{self._now:%Y%m%dT%H%M%SZ}"

    def _archive(self) -> Path:
        archive: Path = self._args.archive.absolute()
        return archive

    def _finish(self) -> None:
        """Make complete what was archived, now or by a run that was killed."""
        if self._args.no_archive:
            return
        for left in self._unfinished():
            self._opened([left]).finish(self._summary())

    def _purge(self, desk: Desk, page: list[tuple[str, str, str | None]]) -> None:
        if page:
            if self._export is not None:
                self._export.sync()
            before = self._args.older_than.isoformat()
            self._took(desk.ask("purge", by=self._by, before=before, interchanges=page))

    def _took(self, answer: dict[str, Any]) -> int:
        """Add what one command did; how many it purged."""
        self.done.purged += answer["purged"]
        for id_, why in answer["skipped"]:
            self.done.skip(id_, why)
        self.done.files += answer["files"]
        self.done.file_bytes += answer["file_bytes"]
        self.done.left += answer["left"]
        return len(answer["purged"])

    def _compact(self, desk: Desk) -> None:
        """Give the journal's empty room back, some pages at a time."""
        room = desk.ask("purge.compact", pages=0)
        while room["gives_back"] and room["empty"]:
            before = room["empty"]
            room = desk.ask("purge.compact", pages=COMPACT_PAGES)
            if room["empty"] >= before:  # others empty pages as fast as these are given back
                break
        worth = room["empty"] > _WORTH_REWRITING * self._journal.stat().st_size
        if worth and not room["gives_back"] and desk.direct is not None:
            desk.direct.rewrite()
            room = desk.ask("purge.compact", pages=0)
        self.done.empty, self.done.gives_back = room["empty"], room["gives_back"]

    def _summary(self) -> dict[str, Any]:
        return {
            "format": 1,
            "title": f"Purge of {self._now:%Y-%m-%d %H:%M} UTC",
            "made_at": self._now,
            "by": self._by,
            "older_than": self._args.older_than,
            "partner": self._args.partner,
            "skipped": sum(self.done.reasons.values()),
            "damaged": [id_ for id_, _ in self.done.damaged],
        }
