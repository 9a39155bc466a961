"""`edi-gateway doctor`: whether a state directory is well. `check` looks at the configuration.

With `--report` everything is looked at, for somebody who cannot look here (`doctor_report`).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from tabulate import tabulate

from gateway.cli import options
from gateway.cli.control_client import ask
from gateway.cli.doctor_report import write
from gateway.cli.operator import operator
from gateway.cli.progress import Progress
from gateway.config.settings import Intake
from gateway.errors import ConfigurationError
from gateway.service.doctor import (
    Trouble,
    folder_troubles,
    journal_troubles,
    mend_folders,
    mend_stopped,
    payload_troubles,
)
from gateway.service.journal import open_reader
from gateway.spool import Spool

_MEND_SECONDS = 3_600.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.add_argument(
        "--deep",
        action="store_true",
        help="also read every payload and compare it with its name, and every index of the journal",
    )
    parser.add_argument(
        "--mend", action="store_true", help="mend what is safe to mend, then look again"
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write what a support engineer asks for into this new .tar.gz, without secrets:"
        " versions, machine, settings, and what the checks say",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options.add_configuration(parser)


def run(args: argparse.Namespace) -> int:
    """0 when all is well, 1 when something needs a human; 3 when the journal cannot be read.

    With `--report` 0 once it is written, whatever it says.
    """
    if args.report is not None:
        return _report(args)
    state = options.journal_path(args).parent
    intake = Intake() if args.state_dir else options.configuration(args).settings.intake
    running = is_running(state)
    done = _mend(state, running=running, intake=intake) if args.mend else []
    progress = Progress()
    try:
        found = list(_troubles(state, running, intake, progress, deep=args.deep))
    finally:
        progress.end()
    ill = [each for each in found if not each.harmless]
    if args.json:
        troubles = msgspec.to_builtins(found)
        print(json.dumps({"state": str(state), "done": done, "troubles": troubles}))
        return 1 if ill else 0
    for line in done:
        print(line)
    if args.mend and not done:
        print("There was nothing that is safe to mend.")
    for each in found:
        print(f"{'NOTICE' if each.harmless else 'TROUBLE'}  {each.check}: {each}")
    if not ill:
        how = "Journal and payloads were read through." if args.deep else "--deep reads all of it."
        print(f"{state} is well. {how}")
    return 1 if ill else 0


def _report(args: argparse.Namespace) -> int:
    settings, state = None, args.state_dir
    try:
        configuration = options.configuration(args)
    except ConfigurationError as error:
        if state is None:
            raise ConfigurationError(
                f"{error.what} Without settings it is not known where the state directory is.",
                remedy=f"{error.remedy} Or name it: --state-dir DIR",
            ) from error
    else:
        settings, state = configuration.settings, configuration.state
    config = ("--config", str(args.config)) if args.config is not None else ()
    progress = Progress()
    try:
        parts = write(
            args.report,
            state,
            settings,
            config=config,
            of_state=("--state-dir", str(args.state_dir)) if args.state_dir is not None else config,
            said=progress,
        )
    finally:
        progress.end()
    if args.json:
        told = [{"file": part.file, "exit_code": part.code} for part in parts]
        print(json.dumps({"report": str(args.report), "parts": told}))
        return 0
    print(
        tabulate(
            [
                (part.file, part.command[0], "not in time" if part.code is None else part.code)
                for part in parts
            ],
            headers=("file", "of", "exit code"),
        )
    )
    print(
        f"\n{args.report} is for whoever helps you. It holds no invoice, key, password or log;"
        " names of partners, files and addresses are in it. Read it before you send it."
    )
    return 0


def is_running(state: Path) -> bool:
    """Whether a gateway answers there. Nobody is disturbed by the question."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(state / "control.sock"))
        except PermissionError:
            return True
        except OSError:
            return False
    return True


def _troubles(
    state: Path, running: bool, intake: Intake, progress: Progress, *, deep: bool
) -> Iterator[Trouble]:
    engine = open_reader(state / "journal.sqlite")
    try:
        yield from folder_troubles(
            state, running=running, min_free_mb=intake.min_free_mb, now=time.time()
        )
        progress("journal", 0, 0)
        with engine.connect() as conn:
            inside = list(journal_troubles(conn, deep=deep))
        yield from inside
        if any(each.check == "journal" for each in inside):
            return  # it is damaged: what it says of the spool is worth nothing
        yield from payload_troubles(
            engine,
            Spool(state / "spool"),
            deep=deep,
            orphan_hours=intake.orphan_hours,
            now=dt.datetime.now(dt.UTC),
            progress=progress,
        )
    finally:
        engine.dispose()


def _mend(state: Path, *, running: bool, intake: Intake) -> list[str]:
    done = mend_folders(state)
    if running:
        answer = ask(
            state,
            "doctor.mend",
            tells="edi-gateway doctor",
            seconds=_MEND_SECONDS,
            by=operator(),
        )
        return [*done, *answer["done"]]
    return [*done, *mend_stopped(state, orphan_hours=intake.orphan_hours)]
