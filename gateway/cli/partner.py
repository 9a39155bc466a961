"""`edi-gateway partner`: who may send, how, and whether it would work.

`list` and `show` go on when the configuration has faults, and say so; secrets are never shown.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
from tabulate import tabulate

from gateway.cli import certificates_shown, conf_files, options, partner_add, partner_check
from gateway.cli.certificate_store import partner_file
from gateway.config.loader import Reading
from gateway.errors import Fault
from gateway.model.partner import Partner

CHANNELS = ("sftp", "as2", "http", "sftp_remote", "folder")
_HEADERS = ("name", "enabled", "language", "flows", "channels", "faults")


def configure(parser: argparse.ArgumentParser) -> None:
    """Subcommands and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    words = "every partner, with its flows and channels"
    listing = actions.add_parser("list", help=words, description=words)
    listing.add_argument("--json", action="store_true", help="one JSON object per line")
    words = "everything about one partner, without its secrets"
    showing = actions.add_parser("show", help=words, description=words)
    words = "write the file of a new partner"
    adding = actions.add_parser("add", help=words, description=words)
    partner_add.configure(adding)
    words = "what would fail for this partner, and how to mend it; nothing is sent"
    checking = actions.add_parser("check", help=words, description=words)
    options.add_language(checking)
    checking.add_argument(
        "--connect",
        action="store_true",
        help="also connect to its AS2 and SFTP servers; nothing is posted or written",
    )
    for action in (showing, adding, checking):
        action.add_argument("--json", action="store_true", help="JSON instead of text")
    for action in (showing, adding, checking):
        action.add_argument("name", metavar="NAME", help="the partner's name")
    for action in (listing, showing, adding, checking):
        conf_files.add_config(action)


def run(args: argparse.Namespace) -> int:
    """0 when done; `check`: 1 when something would fail, 2 for faults in the partner's file."""
    if args.action == "add":
        return partner_add.run(args)
    reading = conf_files.reading_of(args)
    if args.action == "check":
        return partner_check.run(
            reading, args.name, as_json=args.json, language=args.lang, connect=args.connect
        )
    return _list(reading, args) if args.action == "list" else _show(reading, args)


def _list(reading: Reading, args: argparse.Namespace) -> int:
    rows = []
    for name, partner in sorted(reading.configuration.partners.items()):
        file = reading.partner_files[name]
        row = {
            "name": name,
            "enabled": partner.enabled,
            "language": partner.language.value,
            "flows": list(partner.flows),
            "channels": _channels(partner),
            "faults": len(_of_file(reading.faults, file)),
            "notices": len(_of_file(reading.configuration.notices, file)),
            "description": partner.description,
            "file": str(file),
        }
        if args.json:
            print(json.dumps(row, ensure_ascii=False))
        rows.append(row)
    if not args.json:
        print(_table(rows) if rows else "There are no partners yet: edi-gateway partner add NAME")
    if reading.faults:
        faults = options.some(len(reading.faults), "fault")
        print(f"The configuration has {faults}: edi-gateway check", file=sys.stderr)
    return 0


def _table(rows: list[dict[str, Any]]) -> str:
    return tabulate(
        [
            (
                row["name"],
                "yes" if row["enabled"] else "no",
                row["language"],
                ", ".join(row["flows"]),
                ", ".join(row["channels"]),
                str(row["faults"] or ""),
            )
            for row in rows
        ],
        headers=_HEADERS,
        disable_numparse=True,
    )


def _show(reading: Reading, args: argparse.Namespace) -> int:
    file = partner_file(reading, args.name)
    partner = reading.configuration.partners[args.name]
    now = dt.datetime.now(dt.UTC)
    held = [each for each in reading.held if each.owner == args.name]
    certificates = certificates_shown.shown(held, now) if held else []
    faults = _of_file(reading.faults, file)
    notices = _of_file(reading.configuration.notices, file)
    known = without_secrets(partner)
    if args.json:
        out = {
            **known,
            "file": str(file),
            "certificates_held": [each.to_json() for each in certificates],
            "faults": msgspec.to_builtins(faults),
            "notices": msgspec.to_builtins(notices),
        }
        print(json.dumps(out, ensure_ascii=False))
        return 0
    print(f"{file}\n")
    print(tabulate(_flat(known), tablefmt="plain", disable_numparse=True))
    if certificates:
        print(f"\n{certificates_shown.table(certificates, now)}")
    for word, found in (("FAULT", faults), ("notice", notices)):
        for fault in found:
            print(f"\n{word} {fault}")
    return 0


def without_secrets(partner: Partner) -> dict[str, Any]:
    """The partner as its file has it; of a password and of tokens only that they are there."""
    known: dict[str, Any] = msgspec.to_builtins(partner)
    if partner.sftp and partner.sftp.password_hash:
        known["sftp"]["password_hash"] = "(set)"  # noqa: S105 (it is the opposite of one)
    if partner.http:
        known["http"]["token_sha256"] = ["(set)" for _ in partner.http.token_sha256]
    return {key: value for key, value in known.items() if value is not None}


def _flat(table: dict[str, Any], above: str = "") -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            out += _flat(value, f"{above}{key}.")
        elif isinstance(value, (list, tuple)):
            out.append((above + key, ", ".join(map(str, value)) or "-"))
        else:
            words = {True: "yes", False: "no", None: "none"}
            plain = words[value] if value is None or isinstance(value, bool) else str(value)
            out.append((above + key, plain or "-"))
    return out


def _channels(partner: Partner) -> list[str]:
    return [name for name in CHANNELS if getattr(partner, name) is not None]


def _of_file(found: tuple[Fault, ...], file: Path) -> tuple[Fault, ...]:
    return tuple(fault for fault in found if fault.file == str(file))
