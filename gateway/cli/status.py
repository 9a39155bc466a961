"""`edi-gateway status`: how much stands where, and what waits. Reads the journal only."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from typing import Any

from tabulate import tabulate

from gateway.cli import options
from gateway.model.lifecycle import UNFINISHED_INTERCHANGE, InterchangeState
from gateway.service.journal import open_reader, records


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    options.add_configuration(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the counts: 0, or 1 when something needs a human."""
    engine = open_reader(options.journal_path(args))
    with engine.connect() as conn:
        counts = records.counts(conn)
    now = dt.datetime.now(dt.UTC)
    stuck = counts.interchanges.get(InterchangeState.QUARANTINED, 0)
    if args.json:
        print(json.dumps(_as_json(counts, now)))
        return 1 if stuck else 0
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
    return 1 if stuck else 0


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
