"""`edi-gateway invoices`: which invoices are known, so that they are not accepted twice.

invoices import FILE                 those that another system accepted before this one took over
invoices find SELLER NUMBER [YEAR]   who holds a number, and since when
invoices forget SELLER NUMBER YEAR   give back a number that was imported wrongly
invoices backfill                    those that an earlier version of this gateway accepted
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final, TextIO

from gateway.cli import invoices_backfill, invoices_find, invoices_forget, options
from gateway.cli.control_client import ask
from gateway.cli.invoices_import import DATES, NUMBER, SELLER, Checked, check_table, pages
from gateway.cli.progress import Progress
from gateway.errors import ConfigurationError
from gateway.service.invoice_import import MAX_SOURCE

_OTHERS: Final = {
    "find": invoices_find,
    "forget": invoices_forget,
    "backfill": invoices_backfill,
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options and actions of the subcommand."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    words = "take over invoices that another system accepted; sent again, they are refused"
    importing = actions.add_parser("import", help=words, description=words)
    importing.add_argument(
        "file",
        metavar="FILE",
        help=f"CSV in UTF-8; columns: {SELLER}, {NUMBER}, {' or '.join(DATES)};"
        " - reads standard input",
    )
    importing.add_argument(
        "--without-bad-rows",
        action="store_true",
        help="take the good rows over although others are bad",
    )
    importing.add_argument(
        "--dry-run", action="store_true", help="change nothing; say what would be taken over"
    )
    importing.add_argument("--json", action="store_true", help="one JSON object")
    options.add_configuration(importing)
    for name, module in _OTHERS.items():
        words = module.WORDS
        module.configure(actions.add_parser(name, help=words, description=words))


def run(args: argparse.Namespace) -> int:
    """What the action gives."""
    if args.action not in _OTHERS:
        return _import(args)
    code: int = _OTHERS[args.action].run(args)
    return code


def _import(args: argparse.Namespace) -> int:
    """0; 1 when bad rows kept the table from being taken over; 2 when no gateway runs."""
    state = options.journal_path(args).parent
    try:
        with _opened(args.file) as table:
            checked = check_table(table)
            _complain(args.file, checked)
            if checked.bad_rows and not args.without_bad_rows:
                _say(args, checked, 0, 0, 0, done=False)
                return 1
            added, known, linked = _send(state, table, args, checked.rows)
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or args.file}: {error.strerror}.",
            remedy="Name a table that can be read.",
        ) from error
    _say(args, checked, added, known, linked, done=True)
    return 0


def _opened(name: str) -> TextIO:
    """The table, as text that can be read twice: standard input is copied first."""
    if name != "-":
        return Path(name).open(encoding="utf-8", newline="")
    copied = tempfile.TemporaryFile(  # noqa: SIM115 - the caller closes it
        "w+", encoding="utf-8", newline=""
    )
    shutil.copyfileobj(sys.stdin.buffer, copied.buffer)
    return copied


def _source(name: str) -> str:
    """What the journal keeps of where the rows come from."""
    return "" if name == "-" else options.printable(Path(name).name)[:MAX_SOURCE]


def _send(state: Path, table: TextIO, args: argparse.Namespace, rows: int) -> tuple[int, int, int]:
    """Have the daemon take the rows: how many were new, it knew, and statuses waited for."""
    added = known = linked = 0
    source, progress = _source(args.file), Progress()
    try:
        for page in pages(table):
            answer = ask(
                state,
                "invoices.import",
                tells="starting it again, which adds nothing twice.",
                invoices=[(key.seller, key.number, key.year) for key in page],
                source=source,
                dry_run=args.dry_run,
            )
            added, known = added + answer["added"], known + answer["known"]
            linked += answer.get("linked", 0)
            progress("invoices taken over", added + known, rows)
    finally:
        progress.end()
    return added, known, linked


def _complain(name: str, checked: Checked) -> None:
    for row in checked.bad:
        print(f"{name}, line {row.line}: {row.what}.", file=sys.stderr)
    if checked.bad_rows > len(checked.bad):
        print(f"… and {checked.bad_rows - len(checked.bad)} more.", file=sys.stderr)


def _say(
    args: argparse.Namespace, checked: Checked, added: int, known: int, linked: int, *, done: bool
) -> None:
    if args.json:
        said = {"added": added, "known": known, "linked": linked, "bad_rows": checked.bad_rows}
        print(json.dumps(said | {"dry_run": args.dry_run}))
    elif not done:
        print(
            f"Nothing was taken over: {checked.bad_rows} of the rows cannot be used. Mend them, or"
            " take the others over with --without-bad-rows."
        )
    else:
        left = f", {options.some(checked.bad_rows, 'bad row')} left out" if checked.bad_rows else ""
        would = "would be taken over" if args.dry_run else "taken over"
        were = options.some(known, "was", "were")
        print(f"{options.some(added, 'invoice')} {would}; {were} known{left}.")
        if linked:
            statuses = options.some(linked, "status", "statuses")
            belong = "belongs" if linked == 1 else "belong"
            print(f"{statuses} had waited for them, and {belong} to them now.")
