"""`edi-gateway status-message`: a lifecycle message (CDAR), built from a request and checked.

status-message FILE            the message for a request in TOML or JSON (`-`: standard input)
status-message --example CODE  a request to begin with, with every key it may have
status-message --statuses      every status: who gives it, and the reasons it may have

Nothing is sent: the message goes to standard output or to a file. One that schema or rules object
to is not written at all.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from gateway.cli import options
from gateway.cli.options import printable
from gateway.cli.status_example import example, statuses_table
from gateway.config import Configuration
from gateway.config.loader import raise_for, read
from gateway.config.settings import Settings
from gateway.config.strict import convert
from gateway.core.cdar.checking import MessageCheck, is_valid
from gateway.core.cdar.composing import compose
from gateway.core.cdar.message_writer import write
from gateway.core.cdar.names import file_name
from gateway.core.cdar.request import StatusRequest, parse_json, parse_toml
from gateway.core.cdar.statuses import STATUSES
from gateway.core.cdar.values import Message
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.runner import RulePacks
from gateway.durable import write_durably
from gateway.errors import ConfigurationError, Fault
from gateway.model.legal import LegalIdentity
from gateway.model.verdict import Finding, Language, Severity

DONE, INVALID, USAGE = 0, 1, 2

_OTHER_TABLES = frozenset(Settings.__struct_fields__) - {"legal"}
_STANDARD_INPUT = "-"
_MAX_BYTES = 200_000_000
"""Larger than any file with attachments that a platform takes."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of `status-message`."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "file", metavar="FILE", nargs="?", help="the request: TOML, or JSON; - is standard input"
    )
    what.add_argument(
        "--example", metavar="STATUS", choices=[*STATUSES], help="print a request to begin with"
    )
    what.add_argument(
        "--statuses", action="store_true", help="list the statuses, with the reasons of each"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="PATH",
        help="write the message there; into a folder under its own name",
    )
    parser.add_argument("--json", action="store_true", help="tell the outcome as one JSON object")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings file: [legal] is who we are (default: $EDI_GATEWAY_CONFIG, then"
        f" {options.SYSTEM_CONFIGURATION}, then the built-in defaults)",
    )
    options.add_language(parser)


def run(args: argparse.Namespace) -> int:
    """0: built and valid; 1: schema or rules object; 2: the request cannot be taken.

    Raises ConfigurationError for the settings, and RulePackError when a check cannot be made.
    """
    if args.example:
        text = example(args.example)
        if args.json:
            text = json.dumps(tomllib.loads(text), default=_as_iso, ensure_ascii=False) + "\n"
        print(text, end="")
        return DONE
    if args.statuses:
        print(statuses_table(args.lang, as_json=args.json))
        return DONE
    name = "standard input" if args.file == _STANDARD_INPUT else args.file
    table, faults = _table(args.file, name)
    request = None
    if table is not None:
        request, faults = convert(table, StatusRequest, file=Path(name))
    if faults or request is None:
        return _refuse(faults, as_json=args.json)
    configured = _configured(args)
    we = configured.settings.legal
    now = dt.datetime.now(tz=dt.UTC)
    message = compose(request, we, now)
    if isinstance(message, list):
        faults = tuple(
            Fault(file=name, key=wrong.key, what=wrong.what, remedy=wrong.remedy)
            for wrong in message
        )
        return _refuse(faults, as_json=args.json)
    data = write(message)
    catalogue = Catalogue.load(configured.rule_packs)
    findings = MessageCheck(catalogue, RulePacks(catalogue)).findings(data, now.date())
    path = None
    if is_valid(findings):
        path = _written(data, args.output, message, we)
    return _tell(args, message, data, findings, path)


def _as_iso(day: dt.date) -> str:
    """A day, or a moment, of an example in TOML."""
    return day.isoformat()


def _configured(args: argparse.Namespace) -> Configuration:
    """The settings as far as this command needs them.

    What is wrong with partners, flows or keys, which whoever builds a message may not even be
    allowed to read, does not matter here.
    """
    reading = read(options.configuration_file(args))
    settings = str(reading.configuration.file)
    faults = [
        fault
        for fault in reading.faults
        if fault.file == settings and fault.key.partition(".")[0] not in _OTHER_TABLES
    ]
    raise_for(faults, "Who we are in a message cannot be read.")
    return reading.configuration


def _table(file: str, name: str) -> tuple[dict[str, Any] | None, tuple[Fault, ...]]:
    """The request as a table, or the fault that keeps it from being one."""
    try:
        data = sys.stdin.buffer.read(_MAX_BYTES) if file == _STANDARD_INPUT else _bytes(Path(file))
        json_like = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
        table = parse_json(data) if json_like else parse_toml(data)
    except OSError as error:
        what = f"The file cannot be read: {error.strerror or error}."
        return None, (Fault(file=name, what=what, remedy="Name a file that is there."),)
    except (ValueError, RecursionError) as error:
        what = f"Neither TOML nor JSON: {printable(str(error))}."
        remedy = "Print a request to begin with: edi-gateway status-message --example 210"
        return None, (Fault(file=name, what=what, remedy=remedy),)
    return table, ()


def _bytes(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(_MAX_BYTES)


def _written(data: bytes, output: Path | None, message: Message, we: LegalIdentity) -> Path | None:
    """The message in its file; None: it is for standard output."""
    if output is None:
        return None
    path = output / file_name(message, we) if output.is_dir() else output
    try:
        if path.is_file() or not path.exists():
            write_durably(path, data, "answered", mode=0o666)  # less what the umask takes away
        else:  # a pipe or a device keeps its place
            path.write_bytes(data)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be written: {error.strerror or error}.",
            remedy="Name a file in a folder that is there and may be written to.",
        ) from error
    return path


def _refuse(faults: tuple[Fault, ...], *, as_json: bool) -> int:
    """The request cannot be taken: say why, each fault with its key."""
    if as_json:
        told = [{"key": each.key, "what": each.what, "remedy": each.remedy} for each in faults]
        print(json.dumps({"outcome": "refused", "faults": told}))
    for fault in faults:
        print(fault, file=sys.stderr)
    return USAGE


def _tell(
    args: argparse.Namespace,
    message: Message,
    data: bytes,
    findings: tuple[Finding, ...],
    path: Path | None,
) -> int:
    """What came of it: the message on standard output unless it has a file, findings beside it."""
    valid = is_valid(findings)
    if args.json:
        print(json.dumps(_outcome(message, data, findings, path, args.lang)))
    elif valid and path is None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    elif path is not None:
        print(path)
    for finding in findings:
        _say(finding, args.lang)
    return DONE if valid else INVALID


def _outcome(
    message: Message,
    data: bytes,
    findings: tuple[Finding, ...],
    path: Path | None,
    language: Language,
) -> dict[str, Any]:
    valid = is_valid(findings)
    return {
        "outcome": "built" if valid else "invalid",
        "id": message.id,
        "status": message.documents[0].status,
        "documents": len(message.documents),
        "file": None if path is None else str(path),
        "message": data.decode() if valid and path is None else None,
        "findings": [finding.to_json(language) for finding in findings],
    }


def _say(finding: Finding, language: Language) -> None:
    """One finding, for people."""
    word = "error" if finding.severity is Severity.ERROR else finding.severity.value
    print(f"{word}: {printable(finding.message)} [{finding.rule}]", file=sys.stderr)
    for text in (finding.explanation, finding.remedy):
        if text is not None:
            print(f"    {printable(text.to(language))}", file=sys.stderr)
