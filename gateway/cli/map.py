"""`edi-gateway map`: the canonical invoice of one file, with no daemon and no rules.

It shows what consumers would get. The document need not be valid: what cannot be read is said on
standard error, and the rest is shown all the same.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
from pathlib import Path

import msgspec

from gateway.cli.options import printable
from gateway.core.container.document import open_document
from gateway.core.mapping import Mapping
from gateway.core.routing import identify
from gateway.core.xml import locate, parse, size_finding
from gateway.model.invoice import canonical_json
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding, Language, Severity

DONE, FAILED, USAGE = 0, 1, 2

_FOR_TERMINALS = re.compile(r"[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What JSON may hold as it is, but a terminal would obey."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of `map`."""
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="a UBL or CII invoice, or a Factur-X PDF"
    )
    parser.add_argument(
        "--to", choices=["json"], default="json", help="what to write (default: json)"
    )


def run(args: argparse.Namespace) -> int:
    """Print the canonical invoice. 0: all of it; 1: something could not be read."""
    file: Path = args.file
    limits = DocumentLimits()
    try:
        size = file.stat().st_size
        if size > limits.max_bytes:
            return _tell(file, (size_finding(size, limits),))
        data = file.read_bytes()
    except OSError as error:
        print(
            f"{printable(str(file))}: cannot be read: {error.strerror or error}.", file=sys.stderr
        )
        return USAGE
    opened = open_document(data, limits)
    if isinstance(opened, Finding):
        return _tell(file, (opened,))
    parsed = parse(opened.xml, limits)
    if isinstance(parsed, Finding):
        return _tell(file, (parsed,))
    facts = identify(parsed)
    if isinstance(facts, Finding):
        return _tell(file, (facts,))
    result = Mapping.load("en16931").to_canonical(
        parsed.root, facts.syntax, functools.partial(locate, parsed)
    )
    text = msgspec.json.format(canonical_json(result.invoice), indent=2).decode()
    sys.stdout.buffer.write(_FOR_TERMINALS.sub(_escaped, text).encode() + b"\n")
    sys.stdout.flush()
    return _tell(file, result.findings)


def _escaped(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"


def _tell(file: Path, findings: tuple[Finding, ...]) -> int:
    """Say the findings in plain words; the exit code they call for."""
    for finding in findings:
        where = printable(file.name)
        if finding.line is not None:
            where += f", line {finding.line}"
        if finding.column is not None:
            where += f", column {finding.column}"
        print(f"{where}: {finding.severity}: {finding.message} [{finding.rule}]", file=sys.stderr)
        for text in (finding.explanation, finding.remedy):
            if text is not None:
                print(f"    {text.to(Language.EN)}", file=sys.stderr)
    failed = any(finding.severity is Severity.ERROR for finding in findings)
    return FAILED if failed else DONE
