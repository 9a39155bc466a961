"""What mapping costs beside what must be done anyway: parsing the document and checking its schema.

    python -m bench.mapping [--rounds N] [--json]

`read` is document → canonical JSON, `write` is canonical invoice → document. Each is compared with
parsing and XSD of the same document in the same run, least time against least time, so that a busy
machine weighs on both. `growth` is the time for 10,000 lines ÷ that for 1,000: 10 is linear.
The exit code is 1 when mapping takes more than 1.5 times as long, or grows more than 1.5 times as
fast as the document.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable
from typing import Final, TypeVar

from tabulate import tabulate

from bench.invoices import cii_invoice, ubl_invoice
from gateway.core.mapping import Mapping
from gateway.core.mapping.writer import InvoiceWriter
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.xml import ParsedXml, parse
from gateway.core.xsd import SchemaStore
from gateway.model.interchange import INVOICE_SYNTAXES, Syntax
from gateway.model.invoice import canonical_json
from gateway.model.job import DocumentLimits

LINES: Final = (1_000, 10_000)
MOST: Final = 1.5
"""Mapping ÷ (parse + XSD), and growth ÷ growth of the document, at most."""
SCHEMAS: Final = {Syntax.UBL: "ubl-2.1", Syntax.CII: "cii-d22b"}
INVOICES: Final = {Syntax.UBL: ubl_invoice, Syntax.CII: cii_invoice}
STEPS: Final = ("parse", "xsd", "read", "write")

T = TypeVar("T")
Least = dict[str, float]
"""Milliseconds of each step, the least of all rounds."""


class Meter:
    """Takes the time of every step on the same document, round by round."""

    def __init__(self) -> None:
        catalogue = Catalogue.load()
        self._schemas = SchemaStore(catalogue)
        self._mapping = Mapping.load("en16931")
        self._writer = InvoiceWriter(self._mapping.table, catalogue)

    def measure(self, syntax: Syntax, lines: int, rounds: int) -> Least:
        """The least time of each step."""
        data = INVOICES[syntax]("BENCH-MAPPING", lines=lines)
        self._round(syntax, data)  # compiles what is compiled once
        taken = [self._round(syntax, data) for _ in range(rounds)]
        return {step: min(one[step] for one in taken) for step in STEPS}

    def _round(self, syntax: Syntax, data: bytes) -> Least:
        times: Least = {}

        def timed(step: str, work: Callable[[], T]) -> T:
            gc.collect()
            started = time.process_time()
            result = work()
            times[step] = (time.process_time() - started) * 1000
            return result

        parsed = timed("parse", lambda: _parsed(data))
        found = timed("xsd", lambda: self._schemas.validate(SCHEMAS[syntax], parsed))
        invoice = self._mapping.to_canonical(parsed.root, syntax).invoice
        timed(
            "read", lambda: canonical_json(self._mapping.to_canonical(parsed.root, syntax).invoice)
        )
        written = timed("write", lambda: self._writer.write(invoice, syntax))
        if found or written.findings:
            raise SystemExit("The invoice of the measurement is not valid, or not written whole.")
        return times


def _parsed(data: bytes) -> ParsedXml:
    parsed = parse(data, DocumentLimits())
    if not isinstance(parsed, ParsedXml):
        raise SystemExit(f"A document cannot be read: {parsed.message}")
    return parsed


def figures(measured: dict[int, Least]) -> dict[str, float]:
    """The ratios of one syntax, from the least times by number of lines."""
    few, many = (measured[lines] for lines in LINES)
    beside = many["parse"] + many["xsd"]
    return {
        "read_ratio": round(many["read"] / beside, 2),
        "write_ratio": round(many["write"] / beside, 2),
        "read_growth": round(many["read"] / few["read"], 2),
        "write_growth": round(many["write"] / few["write"], 2),
    }


def too_slow(found: dict[str, float]) -> list[str]:
    """The figures that are beyond what is promised."""
    growth = MOST * LINES[1] / LINES[0]
    return [
        name
        for name, figure in found.items()
        if figure > (growth if name.endswith("growth") else MOST)
    ]


def main() -> int:
    """Measure both syntaxes and print the result."""
    parser = argparse.ArgumentParser(prog="python -m bench.mapping", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds per document (default 7)")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args()
    meter = Meter()
    found: dict[str, dict[str, float]] = {}
    for syntax in INVOICE_SYNTAXES:
        measured = {lines: meter.measure(syntax, lines, args.rounds) for lines in LINES}
        rows = [(step, *(measured[lines][step] for lines in LINES)) for step in STEPS]
        headers = (syntax.value.upper(), *(f"{lines:,} lines, ms" for lines in LINES))
        print(tabulate(rows, headers=headers, floatfmt=".1f"))
        found[syntax.value] = figures(measured)
        print(", ".join(f"{name} {figure:.2f}" for name, figure in found[syntax.value].items()))
        print()
    slow = [f"{syntax} {name}" for syntax, each in found.items() for name in too_slow(each)]
    if slow:
        print(f"More than {MOST} times what it is compared with: {', '.join(slow)}")
    if args.json:
        print(json.dumps(found))
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
