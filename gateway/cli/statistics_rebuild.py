"""`edi-gateway statistics rebuild`: search and running totals as the journal says."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from gateway.cli import options
from gateway.cli.control_client import ask
from gateway.cli.progress import Progress

_TELLS = "starting it again, which changes nothing twice."


def run(args: argparse.Namespace) -> int:
    """0; 1 when totals were wrong, or documents not entered; 2 when no gateway runs."""
    state = options.journal_path(args).parent
    progress = Progress()
    try:
        entered = _enter(state, progress, dry_run=args.dry_run)
        checked = _check(state, progress, dry_run=args.dry_run)
    finally:
        progress.end()
    if args.json:
        print(json.dumps(entered | checked | {"dry_run": args.dry_run}))
    else:
        _say(entered | checked, dry_run=args.dry_run)
    return 1 if checked["wrong"] or (args.dry_run and entered["entered"]) else 0


def _enter(state: Path, progress: Progress, *, dry_run: bool) -> dict[str, Any]:
    total, after = {"documents": 0, "entered": 0}, None
    while True:
        answer = ask(state, "statistics.enter", tells=_TELLS, after=after, dry_run=dry_run)
        for name in total:
            total[name] += answer[name]
        after = answer["next"]
        if after is None:
            return total
        progress(f"documents up to {answer['received_at'][:10]}", total["documents"], 0)


def _check(state: Path, progress: Progress, *, dry_run: bool) -> dict[str, Any]:
    total, month = {"months": 0, "wrong": 0}, None
    while True:
        answer = ask(state, "statistics.check", tells=_TELLS, month=month, dry_run=dry_run)
        total["months"] += answer["month"] is not None
        total["wrong"] += answer["wrong"]
        month = answer["next"]
        if month is None:
            return total
        progress("months", total["months"], total["months"] + answer["months_left"])


def _say(total: dict[str, Any], *, dry_run: bool) -> None:
    documents, entered, wrong = total["documents"], total["entered"], total["wrong"]
    were = "are not" if dry_run else "were not, and are now,"
    looked_at = f"{options.some(documents, 'document')} looked at"
    if entered:
        print(f"{looked_at}: {entered} {were} found and counted.")
    else:
        print(f"{looked_at}: each is found and counted.")
    if wrong:
        mended = "" if dry_run else " They are mended."
        print(f"{wrong} totals of {total['months']} months were wrong.{mended}")
    else:
        print(f"The totals of {total['months']} months are what their documents add up to.")
