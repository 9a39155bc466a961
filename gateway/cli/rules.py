"""`edi-gateway rules`: the rule packs on board, what differs between two, and the import of one.

rules                  every version of every pack: source, sum, validity, number of rules, state,
                       and how it runs; Schematron that lies beside flows as well
rules import FILE…     take in a pack: the wheel no installed package stands for, Schematron
                       (.sch), XSLT made of it, or a zip of these (`rules_import`)
rules remove NAME…     take imported versions back
rules diff A B         what changed between two packs, two versions of one, or two files
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import textwrap
from pathlib import Path
from typing import Any

from tabulate import tabulate

from gateway.cli import options, rules_import
from gateway.cli.deed import Deed, written_down
from gateway.cli.rules_described import described_packs, described_partner_rules
from gateway.config.loader import Reading, read
from gateway.core.schematron.catalogue import (
    RULE_PACKS_VARIABLE,
    Catalogue,
    PackState,
    default_rule_packs,
)
from gateway.core.schematron.importing_files import take_back
from gateway.core.schematron.inventory import Change, differences, tally
from gateway.core.schematron.source import read_source
from gateway.core.schematron.versions import MARK, validity
from gateway.errors import ConfigurationError


def configure(parser: argparse.ArgumentParser) -> None:
    """Options and actions of the subcommand."""
    _add_common(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    importing = actions.add_parser("import", help="take in rule packs from files")
    _add_common(importing)
    rules_import.configure(importing)
    removing = actions.add_parser("remove", help="take back what was imported")
    _add_common(removing)
    removing.add_argument(
        "names", nargs="+", metavar="NAME", help="an imported pack, or a version of it (NAME@DATE)"
    )
    diff = actions.add_parser("diff", help="what differs between two packs")
    _add_common(diff)
    named = "a pack, a version of it (NAME@VERSION, NAME@DATE, NAME@SHA256), a stylesheet or .sch"
    diff.add_argument("first", metavar="A", help=named)
    diff.add_argument("second", metavar="B", help=named)


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
    today = dt.datetime.now(tz=dt.UTC).date()  # as judging has it: the day of receipt, in UTC
    if args.action == "import":
        on = rules_import.told(args)
        with written_down(_state(reading), "rules.import", **on) as deed:
            return rules_import.run(catalogue, args, today, deed, as_json=as_json)
    if args.action == "remove":
        with written_down(_state(reading), "rules.remove", packs=" ".join(args.names)) as deed:
            return _remove(catalogue, args.names, today, deed, as_json=as_json)
    if args.action == "diff":
        return _diff(catalogue, args.first, args.second, today, as_json=as_json)
    return _list(catalogue, reading, today, as_json=as_json)


def _reading(args: argparse.Namespace) -> Reading | None:
    """What the settings say, whatever else is wrong in them; None: nobody has written any."""
    file = options.configuration_file(argparse.Namespace(config=getattr(args, "config", None)))
    return read(file) if file is not None else None


def _state(reading: Reading | None) -> Path:
    """The state directory of the settings, or of a gateway that has none."""
    return (reading or read()).configuration.state


def _list(catalogue: Catalogue, reading: Reading | None, today: dt.date, *, as_json: bool) -> int:
    packs = list(described_packs(catalogue, today))
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
            print(f"  {pack['called']}: {pack['source']}")
        for pack in packs:
            if pack["problem"]:
                print(f"\n{pack['called']}: {pack['problem']}\n  → {pack['remedy']}")
        for pack in packs:
            if pack["as_shipped_because"]:
                print(f"\n{pack['called']} runs as shipped: {pack['as_shipped_because']}.")
    bad = (PackState.ALTERED, PackState.FAULTY)
    return 1 if any(pack["status"] in bad for pack in packs) else 0


def _validity(pack: dict[str, Any]) -> str:
    """First and last day; whether today is one of them stands there when it is not."""
    if pack["valid_from"] is None and pack["valid_until"] is None:
        return ""
    days = f"{pack['valid_from'] or '…'} – {pack['valid_until'] or '…'}"
    return days if pack["applies_today"] else f"{days} (not today)"


def _remove(
    catalogue: Catalogue, names: list[str], today: dt.date, deed: Deed, *, as_json: bool
) -> int:
    for named in names:
        key = catalogue.find(named, today)
        if key is None:
            raise _unknown(catalogue, named)
        versions = catalogue.versions(catalogue.pack(key).name)
        if MARK not in named and len(versions) > 1:
            raise ConfigurationError(
                f"{named} has {len(versions)} versions: {validity(versions)}.",
                remedy=f"Say which: {named}{MARK}DATE, a day on which it applies.",
            )
        entry = take_back(catalogue, key)
        deed.said = f"{deed.said} {entry.name} {entry.version} {entry.sha256}".strip()
        said = {"pack": entry.name, "version": entry.version, "sha256": entry.sha256}
        print(json.dumps(said) if as_json else f"{key} ({entry.version}) judges no more.")
    return 0


def _diff(catalogue: Catalogue, first: str, second: str, today: dt.date, *, as_json: bool) -> int:
    one, other = (_stylesheet(catalogue, named, today) for named in (first, second))
    found = differences(one, other)
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
    counted = tally(found)
    print(f"{sum(counted)} rules differ between {first} and {second}: {counted}.")
    return 0


def _quoted(sign: str, text: str) -> str:
    return textwrap.fill(
        text, width=98, initial_indent=f"  {sign} ", subsequent_indent="    ", max_lines=6
    )


def _stylesheet(catalogue: Catalogue, named: str, today: dt.date) -> bytes:
    key = catalogue.find(named, today)
    if key is not None:
        return catalogue.artefact(key).stylesheet
    try:
        if named.endswith(".sch"):
            return read_source(Path(named)).stylesheet.encode()
        return Path(named).read_bytes()
    except OSError as error:
        raise _unknown(catalogue, named, f" nor a readable file ({error.strerror})") from error


def _unknown(catalogue: Catalogue, named: str, other: str = "") -> ConfigurationError:
    """Nothing is called so. `other`: what it is not either."""
    name, known = named.partition(MARK)[0], catalogue.names()
    if MARK in named and name in known:
        return ConfigurationError(
            f"{name} has no such version, or more than one: {named}.",
            remedy=f"Its versions are: {validity(catalogue.versions(name))}.",
        )
    return ConfigurationError(
        f"{named} is {'neither' if other else 'not'} a rule pack{other}.",
        remedy=f"Rule packs are: {', '.join(known)}.",
    )
