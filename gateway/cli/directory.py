"""`edi-gateway directory`: whom B2G rules ask about recipients.

directory import FILE   take a table over, in place of the one before
directory list          the snapshots on board; the first is in force
directory show SIRET    what the one in force says of a SIRET
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import sys
from pathlib import Path
from typing import TextIO

from tabulate import tabulate

from gateway.cli.deed import Deed, written_down
from gateway.cli.directory_import import COLUMNS, FLAGS, Imported, import_table
from gateway.cli.options import add_configuration, configuration
from gateway.cli.progress import Progress
from gateway.core.directory import Directories, Directory, Recipient, folder_in
from gateway.errors import ConfigurationError, RulePackError
from gateway.service.journal.audit_records import Outcome

_HEADERS = ("imported (UTC)", "sha256", "", "snapshot")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options and actions of the subcommand."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    importing = actions.add_parser("import", help="take a table (CSV) over")
    importing.add_argument(
        "file",
        metavar="FILE",
        help=f"CSV in UTF-8; columns: {', '.join(COLUMNS)}; - reads standard input",
    )
    importing.add_argument(
        "--without-bad-rows",
        action="store_true",
        help="take the good rows over although others are bad",
    )
    listing = actions.add_parser("list", help="the snapshots on board")
    showing = actions.add_parser("show", help="what the directory says of a SIRET")
    showing.add_argument("siret", metavar="SIRET")
    for action in (importing, listing, showing):
        add_configuration(action)
        action.add_argument("--json", action="store_true", help="JSON, one object per line")


def run(args: argparse.Namespace) -> int:
    """0; 1 when a table has bad rows, or a SIRET is not listed.

    Raises ConfigurationError and RulePackError, whose messages say what to do.
    """
    state = _state(args)
    folder = folder_in(state)
    if args.action == "import":
        on = {"file": Path(args.file).name, "without_bad_rows": "yes" * args.without_bad_rows}
        with written_down(state, "directory.import", **on) as deed:
            return _import(args, folder, deed)
    if args.action == "show":
        return _show(args, Directories(folder).current())
    return _list(args, Directories(folder))


def _state(args: argparse.Namespace) -> Path:
    """As in `journal_path`: with --state-dir, nothing else of the configuration is read."""
    if args.state_dir is not None:
        state: Path = args.state_dir.resolve()
        return state
    return configuration(args).state


def _import(args: argparse.Namespace, folder: Path, deed: Deed) -> int:
    now = dt.datetime.now(tz=dt.UTC)
    try:
        if args.file == "-":
            table = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="")
            imported = _imported(table, folder, args, now)
        else:
            with Path(args.file).open(encoding="utf-8", newline="") as table:
                imported = _imported(table, folder, args, now)
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or args.file}: {error.strerror}.",
            remedy="Name a table that can be read, and a state directory that can be written.",
        ) from error
    for row in imported.bad:
        print(f"{args.file}, line {row.line}: {row.what}.", file=sys.stderr)
    if imported.bad_rows > len(imported.bad):
        print(f"… and {imported.bad_rows - len(imported.bad)} more.", file=sys.stderr)
    if imported.snapshot is None:
        deed.outcome, deed.said = Outcome.REFUSED, f"bad_rows {imported.bad_rows}: not taken over"
    else:
        deed.said = f"snapshot {imported.snapshot.name}, recipients {imported.recipients}"
    print(_in_json(imported) if args.json else _in_words(imported))
    return 1 if imported.snapshot is None else 0


def _imported(table: TextIO, folder: Path, args: argparse.Namespace, now: dt.datetime) -> Imported:
    newest = _newest(folder)
    progress = Progress()
    try:
        return import_table(
            table,
            folder,
            now=now,
            newest=newest,
            without_bad_rows=args.without_bad_rows,
            progress=progress,
        )
    finally:
        progress.end()


def _newest(folder: Path) -> Directory | None:
    """The snapshot in force; one that was altered is about to be replaced."""
    try:
        return Directories(folder).current()
    except RulePackError as error:
        print(error, file=sys.stderr)
        return None


def _in_words(imported: Imported) -> str:
    if imported.snapshot is None:
        return (
            f"Nothing was taken over: {imported.bad_rows} of the rows cannot be used. Mend them, or"
            " take the others over with --without-bad-rows."
        )
    left = f", {imported.bad_rows} bad rows left out" if imported.bad_rows else ""
    said = "is in force already" if imported.known else "is in force"
    return f"{imported.recipients} recipients{left}; {imported.snapshot} {said}."


def _in_json(imported: Imported) -> str:
    return json.dumps(
        {
            "snapshot": str(imported.snapshot) if imported.snapshot else None,
            "sha256": imported.sha256,
            "recipients": imported.recipients,
            "bad_rows": imported.bad_rows,
            "known": imported.known,
        }
    )


def _list(args: argparse.Namespace, directories: Directories) -> int:
    paths = directories.paths()
    if not paths and not args.json:
        print("No directory was imported: edi-gateway directory import FILE.")
    rows = []
    for number, path in enumerate(paths):
        found = Directory(path)
        if args.json:
            said = {
                "snapshot": str(path),
                "sha256": found.sha256,
                "imported": found.imported.isoformat(timespec="seconds"),
                "in_force": number == 0,
            }
            print(json.dumps(said))
        else:
            when = f"{found.imported:%Y-%m-%d %H:%M:%S}"
            rows.append((when, found.sha256[:12], "in force" if number == 0 else "before", path))
    if rows:
        print(tabulate(rows, headers=_HEADERS, disable_numparse=True))
    return 0


def _show(args: argparse.Namespace, directory: Directory | None) -> int:
    found = directory.find(args.siret) if directory else None
    if args.json:
        print(json.dumps(found._asdict() if found else None))
    elif found is not None:
        print(_described(found))
    elif directory is None:
        print("No directory was imported: edi-gateway directory import FILE.")
    else:
        print(f"The directory does not list {args.siret}.")
    return 0 if found else 1


def _described(found: Recipient) -> str:
    said = found._asdict()
    flags = [f"  {name}: {'yes' if said[name] else 'no'}" for name in FLAGS]
    codes = ", ".join(found.service_codes) or "none"
    return "\n".join([found.siret, *flags, f"  service_codes: {codes}"])
