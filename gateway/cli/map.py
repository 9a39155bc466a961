"""`edi-gateway map`: the canonical invoice of one file, with no daemon and no rules.

It shows what consumers would get, or writes the invoice again as UBL or CII. The document need not
be valid: what cannot be read or written is said on standard error, and the rest is shown all the
same.
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
from gateway.core.explain import own_finding
from gateway.core.facts import identify
from gateway.core.mapping import Mapping
from gateway.core.mapping.writer import InvoiceWriter
from gateway.core.mapping.writer_contents import contents
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.xml import locate, parse, size_finding
from gateway.model.interchange import INVOICE_SYNTAXES, Syntax
from gateway.model.invoice import Invoice, canonical_json
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding, Language, Severity

DONE, FAILED, USAGE = 0, 1, 2
_ABOUT_WRITING = ("MAP-NO-PLACE", "MAP-DEMANDED", "MAP-ADDED", "MAP-NO-CONTENT")
"""Findings whose location is a path in the canonical invoice."""

_MOST_PATHS = 5
"""Named of the places that are not taken along."""

_FOR_TERMINALS = re.compile(r"[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What JSON and XML may hold as it is, but a terminal would obey."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of `map`."""
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="a UBL or CII invoice, or a Factur-X PDF"
    )
    parser.add_argument(
        "--to",
        choices=["json", *(syntax.value for syntax in INVOICE_SYNTAXES)],
        default="json",
        help="what to write: the canonical invoice, or the invoice in a syntax (default: json)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON object with all of it, findings included, whatever is written",
    )


def run(args: argparse.Namespace) -> int:
    """Print the invoice. 0: all of it; 1: something could not be read or written."""
    file: Path = args.file
    limits = DocumentLimits()
    try:
        size = file.stat().st_size
        if size > limits.max_bytes:
            return _tell(args, (size_finding(size, limits),))
        data = file.read_bytes()
    except OSError as error:
        print(
            f"{printable(str(file))}: cannot be read: {error.strerror or error}.", file=sys.stderr
        )
        return USAGE
    opened = open_document(data, limits)
    if isinstance(opened, Finding):
        return _tell(args, (opened,))
    parsed = parse(opened.xml, limits)
    if isinstance(parsed, Finding):
        return _tell(args, (parsed,))
    facts = identify(parsed)
    if isinstance(facts, Finding):
        return _tell(args, (facts,))
    if facts.syntax not in INVOICE_SYNTAXES:
        name = printable(str(file))
        print(f"{name}: a lifecycle message (CDAR), which is no invoice.", file=sys.stderr)
        return USAGE
    mapping = Mapping.load("en16931")
    result = mapping.to_canonical(parsed.root, facts.syntax, functools.partial(locate, parsed))
    if args.to == "json":
        canonical = canonical_json(result.invoice)
        if not args.json:
            text = msgspec.json.format(canonical, indent=2).decode() + "\n"
            _print(text, "\\u{:04x}")
        return _tell(args, result.findings, invoice=msgspec.Raw(canonical))
    written = InvoiceWriter(mapping.table, Catalogue.load()).write(
        result.invoice, Syntax(args.to), contents(parsed.root, mapping.table)
    )
    text = written.document.decode()
    if not args.json:
        _print(text, "&#x{:x};")
    findings = (*result.findings, *_left_behind(result.invoice), *written.findings)
    return _tell(args, findings, document=text)


def _left_behind(invoice: Invoice) -> tuple[Finding, ...]:
    """What the canonical invoice had no room for and JSON would have listed."""
    source = invoice.source
    if not source.unmapped:
        return ()
    more = ["…"] if source.unmapped_total > _MOST_PATHS else []
    paths = [*source.unmapped[:_MOST_PATHS], *more]
    return (own_finding("MAP-NOT-TAKEN", count=source.unmapped_total, paths=paths),)


def _print(text: str, escape: str) -> None:
    """Write to standard output; `escape` writes a character that a terminal would obey."""
    escaped = _FOR_TERMINALS.sub(lambda found: escape.format(ord(found[0])), text)
    sys.stdout.buffer.write(escaped.encode())
    sys.stdout.flush()


def _tell(
    args: argparse.Namespace,
    findings: tuple[Finding, ...],
    *,
    invoice: msgspec.Raw | None = None,
    document: str | None = None,
) -> int:
    """Say the findings in plain words, or all of it as JSON; the exit code they call for."""
    file: Path = args.file
    failed = any(finding.severity is Severity.ERROR for finding in findings)
    if args.json:
        told = {
            "file": str(file),
            "to": args.to,
            "invoice": invoice,
            "document": document,
            "findings": [finding.to_json(Language.EN) for finding in findings],
        }
        _print(msgspec.json.encode(told).decode() + "\n", "\\u{:04x}")
        return FAILED if failed else DONE
    for finding in findings:
        where = printable(file.name)
        if finding.line is not None:
            where += f", line {finding.line}"
        elif finding.rule in _ABOUT_WRITING and finding.location:
            where += f", {finding.location}"
        if finding.column is not None:
            where += f", column {finding.column}"
        print(f"{where}: {finding.severity}: {finding.message} [{finding.rule}]", file=sys.stderr)
        for text in (finding.explanation, finding.remedy):
            if text is not None:
                print(f"    {text.to(Language.EN)}", file=sys.stderr)
    return FAILED if failed else DONE
