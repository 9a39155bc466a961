"""Search and statistics on a large journal, and what keeping them up costs each document.

    python -m bench.console [--documents 1000000] [--folder DIR] [--build-seconds S] [--json]

The journal is written in bulk into the real tables, skewed as real ones are (`console_journal`).
With --folder it stays there and is used again; with --build-seconds a build that takes longer stops
there, exit code 3, and goes on the next time.

Each kind of search is made with values of documents taken at random, and with some that fit much
or nothing. Warm: one connection, again and again. Cold: a new connection, after the kernel was
asked to forget the file. Printed are milliseconds, median and 95th percentile. Exit code 1 when the
latter is over 200 ms for any search.

Then the same documents are settled in turn with and without what search and statistics write, each
in its own journal: CPU time of one settled document, and the ratio of both.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from tabulate import tabulate

from bench.console_journal import build
from bench.console_kinds import Ask, searches_of, totals_of
from bench.console_settle import settled_cost
from gateway.service.journal import open_reader

LIMIT_MS = 200.0
_WARM, _COLD = 40, 7


class Timed(NamedTuple):
    """A kind of question and how long its answers took, in milliseconds."""

    kind: str
    warm: float
    warm_95: float
    cold: float
    cold_95: float
    found: int
    """Rows of the last answer."""
    looked_back: int
    """Answers that ended before they had looked through everything."""


def main() -> int:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--folder", type=Path, help="keep the journal here, or use the one there")
    parser.add_argument("--build-seconds", type=float, default=math.inf, metavar="S")
    parser.add_argument("--settled", type=int, default=2000, metavar="N", help="paired run")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args()
    with _folder(args.folder) as folder:
        path = folder / "journal.sqlite"
        done = build(path, args.documents, _progress, seconds=args.build_seconds)
        if done < args.documents:
            print(f"{done} documents so far; run it again.", file=sys.stderr)
            return 3
        searches = measured(path, searches_of)
        totals = measured(path, totals_of)
        size = path.stat().st_size
    cost = settled_cost(args.settled)
    slow = [each.kind for each in searches if max(each.warm_95, each.cold_95) > LIMIT_MS]
    print(f"{args.documents:,} documents, {size / 1e9:.2f} GB\n")
    for title, rows in (("search", searches), ("statistics", totals)):
        print(tabulate(rows, headers=[title, *Timed._fields[1:]], floatfmt=".1f"), end="\n\n")
    print(
        f"settling a document: {cost.without_ms:.2f} ms of CPU without, {cost.with_ms:.2f} with:"
        f" ratio {cost.ratio:.2f} (of {cost.documents}, {cost.bytes_more:.0f} bytes more each)"
    )
    print(f"limit: {LIMIT_MS:.0f} ms, 95th percentile; over it: {', '.join(slow) or 'none'}")
    if args.json:
        found = figures(args.documents, size, searches, totals)
        print(json.dumps(found | {"settling": cost._asdict()}))
    return 1 if slow else 0


def figures(
    documents: int, size: int, searches: list[Timed], totals: list[Timed]
) -> dict[str, Any]:
    """The object for scripts."""
    return {
        "documents": documents,
        "bytes": size,
        "search_ms": {each.kind: each._asdict() for each in searches},
        "statistics_ms": {each.kind: each._asdict() for each in totals},
        "slowest_search_ms": max(max(each.warm_95, each.cold_95) for each in searches),
    }


def measured(path: Path, kinds_of: Callable[[sa.Connection], dict[str, list[Ask]]]) -> list[Timed]:
    """Every kind, cold first."""
    with open_reader(path).connect() as conn:
        kinds = kinds_of(conn)
        conn.rollback()
        return [_timed(path, conn, kind, asks) for kind, asks in kinds.items()]


def _timed(path: Path, conn: sa.Connection, kind: str, asks: list[Ask]) -> Timed:
    cold, warm = [], []
    found = looked_back = 0
    _once(conn, asks[0])  # builds the statement, as the daemon did long ago
    for number in range(_COLD):
        forget(path)
        with open_reader(path).connect() as fresh:
            cold.append(_once(fresh, asks[number % len(asks)])[0])
    for number in range(_WARM):
        took, found, whole = _once(conn, asks[number % len(asks)])
        warm.append(took)
        looked_back += not whole
    return Timed(
        kind,
        statistics.median(warm),
        percentile(warm),
        statistics.median(cold),
        percentile(cold),
        found,
        looked_back,
    )


def _once(conn: sa.Connection, ask: Ask) -> tuple[float, int, bool]:
    began = time.perf_counter()
    with conn.begin():
        found, whole = ask(conn)
    return 1000 * (time.perf_counter() - began), found, whole


def percentile(values: list[float]) -> float:
    """The 95th."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def forget(path: Path) -> None:
    """Ask the kernel to read the file from the disk again (posix_fadvise(2))."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _progress(done: int) -> None:
    print(f"\r{done:,} documents written", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="bench-console-") as folder:
        yield Path(folder)


if __name__ == "__main__":
    sys.exit(main())
