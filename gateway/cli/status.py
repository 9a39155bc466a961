"""`edi-gateway status`: how much stands where, and what waits. Reads the journal only."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection
from tabulate import tabulate

from gateway.cli import options
from gateway.cli.queues import circuit_lines, hold_lines
from gateway.config.settings import Outbox
from gateway.model.lifecycle import UNFINISHED_INTERCHANGE, InterchangeState
from gateway.service.journal import open_reader, records
from gateway.service.journal.delivery_records import (
    Circuit,
    Hold,
    holds_in_force,
    open_circuits,
)
from gateway.service.journal.given_records import owed_in_vain, owed_since_before
from gateway.service.journal.queue_records import Late, dead_number, late_interchanges

MOST_LATE = 10_000
"""Late interchanges that are counted."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    options.add_configuration(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the counts: 0, or 1 when something needs a human."""
    now = dt.datetime.now(dt.UTC)
    hours = _late_hours(args)
    engine = open_reader(options.journal_path(args))
    with engine.connect() as conn:
        counts = records.counts(conn)
        deliveries = _deliveries(conn, now - dt.timedelta(hours=hours))
        unknown = records.count_waiting(conn)
        owed = owed_in_vain(conn)
        owed_late = owed_since_before(conn, now - dt.timedelta(hours=hours))
    stuck = counts.interchanges.get(InterchangeState.QUARANTINED, 0)
    needs_somebody = bool(stuck or deliveries.dead or deliveries.late or owed)
    if args.json:
        shown = _as_json(counts, now) | _deliveries_as_json(deliveries)
        shown |= {
            "statuses_without_invoice": unknown,
            "statuses_not_sent": [each.interchange_id for each in owed],
            "statuses_late": [each.interchange_id for each in owed_late],
        }
        print(json.dumps(shown))
        return 1 if needs_somebody else 0
    print(
        tabulate(
            [(state.value, counts.interchanges.get(state, 0)) for state in InterchangeState],
            headers=("interchanges", "count"),
        )
    )
    print()
    print(
        tabulate(
            [
                (name, waiting.pending, options.age(now, waiting.oldest))
                for name, waiting in sorted(counts.outbox.items())
            ]
            or [("nothing", 0, "")],
            headers=("waiting in the outbox for", "count", "since"),
        )
    )
    if stuck:
        print(
            f"\n{stuck} in quarantine: the gateway could not judge them and keeps their bytes."
            " List them with: edi-gateway quarantine list"
        )
    for line in _delivery_lines(deliveries, now, hours):
        print(f"\n{line}")
    if owed:
        print(
            f"\n{options.some(len(owed), 'interchange is', 'interchanges are')} owed statuses"
            " (CDAR) that could not be sent; the reports have left. The first:"
            f" {options.printable(owed[0].cause or '')}"
            f" See: edi-gateway show {owed[0].interchange_id}"
        )
    if owed_late:
        print(
            f"\n{options.some(len(owed_late), 'interchange is', 'interchanges are')} owed statuses"
            f" (CDAR) for more than {hours} hours;"
            f" the oldest, {options.age(now, owed_late[0].waiting_since)}: edi-gateway show"
            f" {owed_late[0].interchange_id}"
        )
    if unknown:
        statuses = options.some(unknown, "status speaks", "statuses speak")
        wait = "it waits" if unknown == 1 else "they wait"
        print(f"\n{statuses} of invoices that are not here; {wait} for them.")
    return 1 if needs_somebody else 0


class _Deliveries(NamedTuple):
    holds: list[Hold]
    away: list[Circuit]
    dead: int
    late: list[Late]


def _deliveries(conn: Connection, late_before: dt.datetime) -> _Deliveries:
    return _Deliveries(
        holds=holds_in_force(conn),
        away=open_circuits(conn),
        dead=dead_number(conn),
        late=late_interchanges(conn, late_before, MOST_LATE),
    )


def _late_hours(args: argparse.Namespace) -> int:
    """As the settings say, if they are to be read."""
    if args.state_dir is not None:
        return Outbox().late_hours
    return options.configuration(args).settings.outbox.late_hours


def _delivery_lines(found: _Deliveries, now: dt.datetime, hours: int) -> list[str]:
    lines = circuit_lines(found.away, now) + hold_lines(found.holds, now)
    if found.dead:
        lines.append(
            f"{options.some(found.dead, 'message is', 'messages are')} dead: refused too often to"
            " be tried again. See: edi-gateway queues"
        )
    if found.late:
        oldest = found.late[0]
        lines.append(
            f"{options.some(len(found.late), 'acknowledgement is', 'acknowledgements are')} late:"
            f" not sent {hours} hours after receipt, or statuses of invoices after the verdict."
            f" The oldest, {options.age(now, oldest.received_at)}: edi-gateway show"
            f" {oldest.interchange}"
        )
    return lines


def _deliveries_as_json(found: _Deliveries) -> dict[str, Any]:
    return {
        "holds": msgspec.to_builtins(found.holds),
        "away": msgspec.to_builtins(found.away),
        "dead": found.dead,
        "late": [each.interchange for each in found.late],
    }


def _as_json(counts: records.Counts, now: dt.datetime) -> dict[str, Any]:
    return {
        "interchanges": {state.value: n for state, n in counts.interchanges.items()},
        "documents": {state.value: n for state, n in counts.documents.items()},
        "unfinished": sum(counts.interchanges.get(s, 0) for s in UNFINISHED_INTERCHANGE),
        "outbox": {
            name: {
                "pending": waiting.pending,
                "oldest": waiting.oldest.isoformat(),
                "oldest_seconds": round((now - waiting.oldest).total_seconds(), 1),
            }
            for name, waiting in counts.outbox.items()
        },
    }
