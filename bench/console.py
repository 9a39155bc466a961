"""Search, statistics and pages on a large journal, and what they cost.

    python -m bench.console [--documents 1000000] [--folder DIR] [--build-seconds S] [--only PART]
                            [--json]

The journal is written in bulk into the real tables, skewed as real ones are (`console_journal`).
With --folder it stays there and is used again; with --build-seconds a build that takes longer stops
there, exit code 3, and goes on the next time.

Each kind of search is made with values of documents taken at random, and with some that fit much
or nothing. Warm: one connection, again and again. Cold: a new connection, after the kernel was
asked to forget the file. Printed are milliseconds, median and 95th percentile. Exit code 1 when the
latter is over 200 ms for any search.

Then a real gateway serves a copy of that journal, and each page of the console is asked for over
HTTP by somebody who has logged in (`console_pages`).

What it costs, each as a pair: the same documents are settled in turn with and without what search
and statistics write (`console_settle`: CPU of one settled document); and two gateways get the same
invoices in turn, one of them without a management port, the other with three people on its console
and Prometheus scraping it (`console_cost`: documents a second).

--only makes one of the parts: search, pages, settling or watching; it may be given again.
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

from bench.console_cost import WatchedCost, watched_cost
from bench.console_journal import build
from bench.console_kinds import Ask, searches_of, totals_of
from bench.console_pages import PageTime, page_times
from bench.console_settle import Cost, settled_cost
from gateway.service.journal import open_reader

LIMIT_MS = 200.0
_WARM, _COLD = 40, 7
_PARTS = ("search", "pages", "settling", "watching")


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
    parser.add_argument("--settled", type=int, default=2000, metavar="N", help="documents settled")
    parser.add_argument("--watched", type=int, default=200, metavar="N", help="invoices a round")
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="of pages and invoices")
    parser.add_argument("--only", choices=_PARTS, action="append", help="this part")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args()
    parts = args.only or _PARTS
    found: dict[str, Any] = {"documents": args.documents}
    slow: list[str] = []
    with _folder(args.folder) as folder, tempfile.TemporaryDirectory(dir=args.folder) as scratch:
        path = folder / "journal.sqlite"
        if {"search", "pages"} & set(parts):
            done = build(path, args.documents, _progress, seconds=args.build_seconds)
            if done < args.documents:
                print(f"{done} documents so far; run it again.", file=sys.stderr)
                return 3
            size = path.stat().st_size
            print(f"{args.documents:,} documents, {size / 1e9:.2f} GB\n", flush=True)
        if "search" in parts:
            searches, totals = measured(path, searches_of), measured(path, totals_of)
            slow = [each.kind for each in searches if max(each.warm_95, each.cold_95) > LIMIT_MS]
            show_searches(searches, totals, slow)
            found |= figures(size, searches, totals)
        if "pages" in parts:
            pages = page_times(path, Path(scratch) / "pages", args.rounds)
            show_pages(pages)
            found["page_ms"] = {each.page: each._asdict() for each in pages}
        if "settling" in parts:
            cost = settled_cost(args.settled)
            show_settling(cost)
            found["settling"] = cost._asdict()
        if "watching" in parts:
            watched = watched_cost(Path(scratch) / "watched", args.watched, args.rounds)
            show_watching(watched)
            found["watching"] = watched._asdict()
    if args.json:
        print(json.dumps(found))
    return 1 if slow else 0


def show_searches(searches: list[Timed], totals: list[Timed], slow: list[str]) -> None:
    """For people."""
    for title, rows in (("search", searches), ("statistics", totals)):
        print(tabulate(rows, headers=[title, *Timed._fields[1:]], floatfmt=".1f"), end="\n\n")
    print(
        f"limit: {LIMIT_MS:.0f} ms, 95th percentile; over it: {', '.join(slow) or 'none'}\n",
        flush=True,
    )


def show_pages(pages: list[PageTime]) -> None:
    """For people."""
    print(tabulate(pages, headers=("page, ms", *PageTime._fields[1:]), floatfmt=".1f"), "\n")


def show_settling(cost: Cost) -> None:
    """For people."""
    print(
        f"settling a document: {cost.without_ms:.2f} ms of CPU without, {cost.with_ms:.2f} with:"
        f" ratio {cost.ratio:.2f} (of {cost.documents}, {cost.bytes_more:.0f} bytes more each)",
        flush=True,
    )


def show_watching(cost: WatchedCost) -> None:
    """For people."""
    print(
        f"{cost.documents} invoices: {cost.plain_rate:.1f} a second without a console,"
        f" {cost.watched_rate:.1f} with {cost.pages} pages and {cost.scrapes} scrapes meanwhile:"
        f" {cost.ratio:.2f} times as long, {cost.cpu_ratio:.2f} times the reactor's CPU"
    )


def figures(size: int, searches: list[Timed], totals: list[Timed]) -> dict[str, Any]:
    """Of searches and statistics, for scripts."""
    return {
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
