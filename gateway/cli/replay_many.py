"""`edi-gateway replay` of many interchanges: what would change, with progress, then commit it once.

    edi-gateway replay --dry-run --rule BR-FR-12 --since 2026-09-01 --rules 2026-10-01
    edi-gateway replay --commit REPLAY

The running gateway notes how far it is, so either may be broken off and given again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from tabulate import tabulate

from gateway.cli import options
from gateway.cli.control_client import ask
from gateway.cli.operator import operator
from gateway.cli.progress import Progress
from gateway.errors import ConfigurationError
from gateway.service.journal import open_reader
from gateway.service.journal.replays_records import Changes, newest_replays, standing
from gateway.service.replay_summary import kinds_of

CHOOSING: Final = ("partner", "flow", "channel", "format", "verdict", "rule", "since", "until")
"""Options that choose interchanges."""
SECONDS: Final = 3600.0
"""How long a step may take: one of its interchanges may be an archive of 10,000 documents."""
SHOWN: Final = 20
"""Interchanges named of those in which something would change, or of which something is said."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options beside those of single interchanges."""
    many = parser.add_argument_group("many interchanges, instead of ids")
    for name in CHOOSING[:4]:
        many.add_argument(f"--{name}", metavar="NAME", help=f"that hold a document of this {name}")
    many.add_argument("--verdict", choices=["accepted", "rejected"], help="… with this verdict")
    many.add_argument("--rule", metavar="RULE", help="… that was rejected for this rule")
    many.add_argument("--since", type=options.day, metavar="DATE", help="received then or later")
    many.add_argument("--until", type=options.day, metavar="DATE", help="received then or before")
    steps = many.add_mutually_exclusive_group()
    steps.add_argument("--try", dest="attempt", metavar="REPLAY", help="go on with a dry run")
    steps.add_argument("--commit", metavar="REPLAY", help="commit what its dry run has shown")
    steps.add_argument("--list", action="store_true", help="list the replays there are")
    many.add_argument(
        "--unchanged",
        action="store_true",
        help="commit also those in which nothing would change: all results are sent again",
    )


def is_meant(args: argparse.Namespace) -> bool:
    """Whether the options speak of many. Raises `ConfigurationError` for what does not fit."""
    chosen = any(getattr(args, name) is not None for name in CHOOSING)
    step = args.attempt or args.commit or args.list
    if args.interchanges and (chosen or step):
        raise ConfigurationError(
            "Either interchanges are named by their ids, or chosen by options.",
            remedy="Leave out the one or the other.",
        )
    if step and chosen:
        raise ConfigurationError(
            "What a replay is about was chosen when it was made.",
            remedy="Leave out the options that choose, or --try, --commit and --list.",
        )
    if not args.interchanges and not step and not (chosen and args.dry_run):
        raise ConfigurationError(
            "Nothing is chosen to be judged again."
            if not chosen
            else "Many interchanges are tried before they are committed.",
            remedy="Name ids, or choose many with --dry-run, --since and others.",
        )
    return not args.interchanges


def run(args: argparse.Namespace) -> int:
    """0; 1 when something would change or could not be committed; 2 for no gateway."""
    journal = options.journal_path(args)
    if args.list:
        return _list(args, journal)
    state, progress = journal.parent, Progress()
    try:
        if args.commit:
            answer = _commit(state, args.commit, progress, unchanged=args.unchanged)
        else:
            answer = _try(state, args.attempt or _make(state, args), progress, again=args.attempt)
    finally:
        progress.end()
    items = list(_items(state, answer["replay"]))
    if args.json:
        print(json.dumps(answer | {"items": items}, ensure_ascii=False))
    elif args.commit:
        _say_committed(answer, items)
    else:
        _say_tried(answer, items)
    if args.commit:
        return 1 if answer["refused"] else 0
    return 1 if answer["changed"] or answer["failed"] else 0


def _make(state: Path, args: argparse.Namespace) -> str:
    chosen = {name: getattr(args, name) for name in (*CHOOSING, "rules")}
    given = {name: str(value) for name, value in chosen.items() if value is not None}
    return str(ask(state, "replays.make", by=operator(), seconds=SECONDS, **given)["replay"])


def _try(state: Path, replay: str, progress: Progress, *, again: object) -> dict[str, Any]:
    tells = f"edi-gateway replay --try {replay}"
    first = bool(again)
    while True:
        answer = ask(state, "replays.try", tells=tells, seconds=SECONDS, replay=replay, again=first)
        first = False
        done = answer["interchanges"] - answer["waiting"]
        progress(f"tried, {answer['changed']:,} would change", done, answer["interchanges"])
        if not answer["waiting"]:
            return answer


def _commit(state: Path, replay: str, progress: Progress, *, unchanged: bool) -> dict[str, Any]:
    tells = f"edi-gateway replay --commit {replay}"
    while True:
        answer = ask(
            state,
            "replays.commit",
            tells=tells,
            seconds=SECONDS,
            replay=replay,
            unchanged=unchanged,
        )
        progress("being judged again", answer["committed"], 0)
        if not answer["more"]:
            return answer


def _items(state: Path, replay: str) -> Iterator[dict[str, Any]]:
    after = ""
    while True:
        answer = ask(state, "replays.show", seconds=SECONDS, replay=replay, after=after)
        yield from answer["items"]
        after = answer["next"]
        if after is None:
            return


def _say_tried(answer: dict[str, Any], items: list[dict[str, Any]]) -> None:
    rules = f"the rules of {answer['rules_on']}" if answer["rules_on"] else "the rules of its day"
    print(
        f"{options.some(answer['interchanges'], 'interchange')} ({answer['chosen']}),"
        f" {options.some(answer['documents'], 'document')} judged again by {rules}:"
        f" {answer['changed']:,} would change."
    )
    kinds = kinds_of(msgspec.convert(each, Changes) for item in items for each in item["changes"])
    if kinds:
        rows = [
            (each.documents, each.before, each.after, ", ".join(each.packs) or "no rule pack")
            for each in kinds
        ]
        print(tabulate(rows, headers=("documents", "before", "after", "because of")))
    _say_left(items)
    if answer["changed"]:
        print(f"To have them judged again: edi-gateway replay --commit {answer['replay']}")
    if answer["failed"]:
        print(
            f"{answer['failed']:,} could not be tried. Once more:"
            f" edi-gateway replay --try {answer['replay']}"
        )


def _say_committed(answer: dict[str, Any], items: list[dict[str, Any]]) -> None:
    print(
        f"{options.some(answer['committed'], 'interchange is', 'interchanges are')} judged again;"
        " what comes of it: edi-gateway status"
    )
    _say_left([item for item in items if item["said"]])
    if answer["refused"]:
        print(f"{answer['refused']:,} could not be judged again.")


def _say_left(items: list[dict[str, Any]]) -> None:
    for item in items[:SHOWN]:
        said = options.printable(item["said"] or f"{item['changed']} of {item['documents']}")
        print(f"  {item['interchange']}: {said}")
    if len(items) > SHOWN:
        print(f"  … and {len(items) - SHOWN:,} more (--json has them all)")


def _list(args: argparse.Namespace, journal: Path) -> int:
    with open_reader(journal).connect() as conn:
        rows = [(row, standing(conn, row.id)) for row in newest_replays(conn)]
    if args.json:
        for row, counts in rows:
            states = {state.value: number for state, (number, _, _) in counts.items()}
            print(json.dumps(msgspec.to_builtins(row) | {"states": states}))
        return 0
    if not rows:
        print("No replay of many was made. Make one with: edi-gateway replay --dry-run --since …")
        return 0
    table = [
        (
            row.id,
            row.made_at.strftime("%Y-%m-%d %H:%M"),
            options.shorten(row.made_by, 20),
            options.shorten(row.chosen, 50),
            row.rules_on or "",
            ", ".join(f"{number} {state.value}" for state, (number, _, _) in counts.items()),
        )
        for row, counts in rows
    ]
    headers = ("replay", "made (UTC)", "by", "chosen", "rules of", "interchanges")
    print(tabulate(table, headers=headers, disable_numparse=True))
    return 0
