"""`edi-gateway rules`: the rule packs on board, what differs between two, and the import of one.

rules                  every pack: version, source, sum, validity, number of rules, state, and how
                       it runs; Schematron that lies beside flows as well
rules import FILE…     take in a pack: the wheel no installed package stands for, Schematron
                       (.sch), XSLT made of it, or a zip of these
rules diff A B         what changed between two packs, or two stylesheets given as files
"""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import Any

from tabulate import tabulate

from gateway.cli import options
from gateway.cli.rules_described import described, described_partner_rules
from gateway.config.loader import Reading, read
from gateway.core.schematron.catalogue import (
    RULE_PACKS_VARIABLE,
    Catalogue,
    PackState,
    default_rule_packs,
)
from gateway.core.schematron.importing import import_wheel
from gateway.core.schematron.importing_files import Imported, Wanted, import_file
from gateway.core.schematron.inventory import Change, differences
from gateway.core.schematron.source import SourceError, read_source
from gateway.core.schematron.trial import Trial
from gateway.errors import ConfigurationError, RulePackError
from gateway.model.interchange import Syntax
from gateway.samples import SAMPLES, sample_bytes


def configure(parser: argparse.ArgumentParser) -> None:
    """Options and actions of the subcommand."""
    _add_common(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    importing = actions.add_parser("import", help="take in rule packs from files")
    _add_common(importing)
    importing.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="a wheel, .sch, .xslt, or a zip of them"
    )
    importing.add_argument("--name", help="name of the pack (default: that of the file)")
    importing.add_argument(
        "--syntax",
        choices=[syntax.value for syntax in Syntax],
        help="what it judges (default: what our samples show)",
    )
    importing.add_argument(
        "--phase", metavar="PHASE", help="of Schematron, this phase only (default: its own default)"
    )
    diff = actions.add_parser("diff", help="what differs between two packs")
    _add_common(diff)
    diff.add_argument("first", metavar="A", help="name of a pack, or a stylesheet or .sch file")
    diff.add_argument("second", metavar="B", help="name of a pack, or a stylesheet or .sch file")


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Options that may stand before or after the action: a default would undo the first."""
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object per line"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="settings file, for its flows and its paths.rule_packs (default: $EDI_GATEWAY_CONFIG,"
        f" then {options.SYSTEM_CONFIGURATION}, then the built-in defaults)",
    )
    parser.add_argument(
        "--rule-packs",
        type=Path,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="folder of imported rule packs (default: paths.rule_packs of the settings, then"
        f" ${RULE_PACKS_VARIABLE}, then {default_rule_packs()})",
    )


def run(args: argparse.Namespace) -> int:
    """0; 1 when a pack on board is not the one the catalogue knows, or is not sound.

    Raises ConfigurationError and RulePackError, whose messages say what to do.
    """
    reading = _reading(args)
    folder = getattr(args, "rule_packs", None)
    if folder is None and reading is not None:
        folder = reading.configuration.rule_packs
    catalogue = Catalogue.load(folder)
    as_json = getattr(args, "json", False)
    if args.action == "import":
        return _import(catalogue, args, as_json=as_json)
    if args.action == "diff":
        return _diff(catalogue, args.first, args.second, as_json=as_json)
    return _list(catalogue, reading, as_json=as_json)


def _reading(args: argparse.Namespace) -> Reading | None:
    """What the settings say, whatever else is wrong in them; None: nobody has written any."""
    file = options.configuration_file(argparse.Namespace(config=getattr(args, "config", None)))
    return read(file) if file is not None else None


def _list(catalogue: Catalogue, reading: Reading | None, *, as_json: bool) -> int:
    packs = [described(catalogue, name) for name in catalogue.names()]
    if reading is not None:
        packs += described_partner_rules(reading)
    if as_json:
        for pack in packs:
            print(json.dumps(pack))
    else:
        print(
            tabulate(
                [
                    (
                        pack["pack"],
                        pack["version"],
                        f"{pack['rules']} / {pack['assertions']}" if pack["rules"] else "",
                        _validity(pack),
                        pack["sha256"][:12],
                        pack["status"],
                        pack["runs"],
                    )
                    for pack in packs
                ],
                headers=("pack", "version", "rules / asserts", "valid", "sha256", "status", "runs"),
                disable_numparse=True,
            )
        )
        print("\nSources:")
        for pack in packs:
            print(f"  {pack['pack']}: {pack['source']}")
        for pack in packs:
            if pack["problem"]:
                print(f"\n{pack['pack']}: {pack['problem']}\n  → {pack['remedy']}")
        for pack in packs:
            if pack["as_shipped_because"]:
                print(f"\n{pack['pack']} runs as shipped: {pack['as_shipped_because']}.")
    bad = (PackState.ALTERED, PackState.FAULTY)
    return 1 if any(pack["status"] in bad for pack in packs) else 0


def _validity(pack: dict[str, Any]) -> str:
    if pack["valid_from"] is None and pack["valid_until"] is None:
        return ""
    return f"{pack['valid_from'] or '…'} – {pack['valid_until'] or '…'}"


def _import(catalogue: Catalogue, args: argparse.Namespace, *, as_json: bool) -> int:
    syntax = Syntax(args.syntax) if args.syntax else None
    wanted = Wanted(args.name, syntax, args.phase)
    samples = {
        sample.file: sample_bytes(sample.file)
        for sample in SAMPLES
        if sample.expected_verdict == "accepted"
    }
    if args.name and len(args.files) > 1:
        raise ConfigurationError(
            "One name cannot stand for several files.", remedy="Import them one by one."
        )
    for file in args.files:
        if file.suffix.lower() == ".whl":
            found = tuple(
                Imported(entry, catalogue.locate(entry.name), ())
                for entry in import_wheel(catalogue, file)
            )
        else:
            found = _imported(catalogue, file, samples, wanted)
        for imported in found:
            _say(imported, as_json=as_json)
    return 0


def _imported(
    catalogue: Catalogue, file: Path, samples: dict[str, bytes], wanted: Wanted
) -> tuple[Imported, ...]:
    """As `import_file`; whatever is wrong with the file is a mistake of who names it."""
    try:
        return import_file(catalogue, file, samples, wanted)
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
            "syntax": entry.syntax.value,
            "path": str(imported.path),
            "trials": [trial._asdict() for trial in imported.trials],
        }
        print(json.dumps(stored))
        return
    print(f"{entry.name} {entry.version} is ready: {imported.path}")
    if imported.trials:
        print(f"  sha256 {entry.sha256}, for {entry.syntax.value.upper()}")
    for trial in imported.trials:
        print(f"  tried on {trial.sample}: {_outcome(trial)}")


def _outcome(trial: Trial) -> str:
    if trial.rules is None:
        return "not what it is about"
    return f"found {', '.join(trial.rules)}" if trial.rules else "found nothing"


def _diff(catalogue: Catalogue, first: str, second: str, *, as_json: bool) -> int:
    found = differences(_stylesheet(catalogue, first), _stylesheet(catalogue, second))
    if as_json:
        for difference in found:
            print(json.dumps(difference._asdict()))
        return 0
    for difference in found:
        print(f"{difference.rule}: {difference.change.value}")
        if difference.change is not Change.ADDED:
            print(_quoted("-", difference.before))
        if difference.change is not Change.REMOVED:
            print(_quoted("+", difference.after))
    rules = {difference.rule for difference in found}
    print(f"{len(rules)} rules differ between {first} and {second}.")
    return 0


def _quoted(sign: str, text: str) -> str:
    return textwrap.fill(
        text, width=98, initial_indent=f"  {sign} ", subsequent_indent="    ", max_lines=6
    )


def _stylesheet(catalogue: Catalogue, named: str) -> bytes:
    if named in catalogue.names():
        return catalogue.artefact(named).stylesheet
    try:
        if named.endswith(".sch"):
            return read_source(Path(named)).stylesheet.encode()
        return Path(named).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{named} is neither a rule pack nor a readable file ({error.strerror}).",
            remedy=f"Rule packs are: {', '.join(catalogue.names())}.",
        ) from error
