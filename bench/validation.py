"""What judging one document costs, step by step, in one process.

    python -m bench.validation [-n 100] [--lines N] [--files FOLDER] [--json]
    python -m bench.validation --by-rule [PACK ...] [--lines N] [--files FOLDER]

Packs are measured chain by chain, as the gateway runs them (transformation, reading of the report,
findings) and, for the ratio of the two, in the form they were shipped in. A judge runs either form,
never both: run in turn on one document they would push each other out of the processor's caches,
which costs the quicker one most. So they take turns by rounds of a few documents, with everything a
judge does around them. Thus the same documents in the same minute can be compared even when the
machine is shared; the least time is what a step itself takes. `lines` says how the time grows with
the number of lines.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from tabulate import tabulate

from bench.invoices import cii_invoice, ubl_invoice
from bench.rule_costs import costs
from gateway.core.mapping import Mapping
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.runner import RulePacks
from gateway.core.schematron.vocabulary import Unfamiliar
from gateway.core.xml import ParsedXml, parse
from gateway.core.xsd import SchemaStore
from gateway.errors import RulePackError
from gateway.model.interchange import INVOICE_SYNTAXES, Syntax
from gateway.model.invoice import canonical_json
from gateway.model.job import DocumentLimits

PACKS = {
    Syntax.UBL: ("en16931-ubl", "extended-ctc-fr-ubl", "br-fr-flux2-ubl"),
    Syntax.CII: ("en16931-cii", "extended-ctc-fr-cii", "br-fr-flux2-cii", "facturx-en16931"),
}
CHAINS = {
    Syntax.UBL: {"ubl_french_chain": ("en16931-ubl", "br-fr-flux2-ubl")},
    Syntax.CII: {
        "cii_french_chain": ("en16931-cii", "br-fr-flux2-cii"),
        "facturx_chain": ("facturx-en16931", "br-fr-flux2-cii"),
    },
}
SHIPPED = "{} as shipped"
INVOICES = {Syntax.UBL: ubl_invoice, Syntax.CII: cii_invoice}
SCHEMAS = {Syntax.UBL: "ubl-2.1", Syntax.CII: "cii-d22b"}
WARM_UP = 5
ROUND = 20
"""Documents after which the other form of the packs has its turn."""
FEW_LINES, MANY_LINES = 1_000, 10_000
CHAIN_LINES = 5_000
DEAREST = 25
"""Rules that --by-rule shows of a pack."""

T = TypeVar("T")
Times = dict[str, list[float]]


class Meter:
    """Runs every step on one document after the other, and keeps the times in milliseconds."""

    def __init__(self) -> None:
        catalogue = Catalogue.load()
        self._packs = RulePacks(catalogue)
        self._shipped = RulePacks(catalogue, optimise=False)
        self._schemas = SchemaStore(catalogue)
        self._mapping = Mapping.load("en16931")

    def ready(self, syntax: Syntax) -> tuple[str, ...]:
        """The packs that can be measured; the others are named on standard error."""
        ready = []
        for pack in PACKS[syntax]:
            try:
                self._packs.compile(pack)
                self._shipped.compile(pack)
            except RulePackError as error:
                print(f"{pack} is not measured: {error}", file=sys.stderr)
            else:
                ready.append(pack)
        return tuple(ready)

    def measure(self, syntax: Syntax, documents: list[bytes]) -> Times:
        """Time of every step on every document, by name of the step."""
        times: Times = defaultdict(list)
        for chain, packs in chains(syntax, self.ready(syntax)).items():
            for start in range(0, len(documents), ROUND):
                for form, called in ((self._packs, "{}"), (self._shipped, SHIPPED)):
                    names = {pack: called.format(pack) for pack in packs}
                    for data in documents[:WARM_UP]:
                        self._one(syntax, form, names, data)
                    for data in documents[start : start + ROUND]:
                        taken = self._one(syntax, form, names, data)
                        if chain in CHAINS[syntax]:
                            whole = sum(taken[name] for name in names.values())
                            times[called.format(chain)].append(whole)
                        for step, milliseconds in taken.items():
                            if form is self._packs or step in names.values():
                                times[step].append(milliseconds)
        return dict(times)

    def growth(self, syntax: Syntax) -> dict[str, float]:
        """How many times longer each pack takes for many lines than for few."""
        invoice = INVOICES[syntax]
        least: dict[int, dict[str, float]] = {}
        packs = self.ready(syntax)
        for lines in (FEW_LINES, MANY_LINES):
            parsed = _parsed(invoice("BENCH-LINES", lines=lines))
            taken = [{pack: self._seconds(pack, parsed) for pack in packs} for _ in range(5)]
            least[lines] = {pack: min(times[pack] for times in taken) for pack in packs}
            self._packs.release()
        return {pack: round(least[MANY_LINES][pack] / least[FEW_LINES][pack], 2) for pack in packs}

    def chain(self) -> float:
        """Seconds from the bytes of a long UBL invoice to the findings of the French chain."""
        data = ubl_invoice("BENCH-CHAIN", lines=CHAIN_LINES)
        taken = []
        for _ in range(3):
            started = time.perf_counter()
            parsed = _parsed(data)
            self._schemas.validate(SCHEMAS[Syntax.UBL], parsed)
            for pack in CHAINS[Syntax.UBL]["ubl_french_chain"]:
                self._packs.run(pack, parsed)
            taken.append(time.perf_counter() - started)
            self._packs.release()
        return round(min(taken), 3)

    def _seconds(self, pack: str, parsed: ParsedXml) -> float:
        self._packs.load(parsed)
        started = time.process_time()  # A busy machine makes long runs longer than short ones.
        self._packs.run(pack, parsed)
        return time.process_time() - started

    def _one(
        self, syntax: Syntax, packs: RulePacks, names: dict[str, str], data: bytes
    ) -> dict[str, float]:
        """Judge a document: milliseconds by step. `names`: pack → what its step is called."""
        taken = {}

        def timed(step: str, work: Callable[[], T]) -> T:
            started = time.perf_counter()
            result = work()
            taken[step] = (time.perf_counter() - started) * 1000
            return result

        parsed = timed("parse", lambda: _parsed(data))
        timed("xsd", lambda: self._schemas.validate(SCHEMAS[syntax], parsed))
        timed("saxon_parse", lambda: packs.load(parsed))
        for pack, name in names.items():
            timed(name, functools.partial(packs.run, pack, parsed))
        timed("map", lambda: self._canonical(parsed, syntax))
        packs.release()
        return taken

    def _canonical(self, parsed: ParsedXml, syntax: Syntax) -> bytes:
        return canonical_json(self._mapping.to_canonical(parsed.root, syntax).invoice)


def _parsed(data: bytes) -> ParsedXml:
    parsed = parse(data, DocumentLimits())
    if not isinstance(parsed, ParsedXml):
        raise SystemExit(f"A document cannot be read: {parsed.message}")
    return parsed


def main() -> int:
    """Measure both syntaxes and print the result."""
    parser = argparse.ArgumentParser(prog="python -m bench.validation", description=__doc__)
    parser.add_argument("-n", type=int, default=100, help="documents per syntax (default 100)")
    parser.add_argument("--lines", type=int, help="lines per invoice (default: about 15 kB)")
    parser.add_argument(
        "--files", type=Path, metavar="FOLDER", help="measure FOLDER/ubl/*.xml, FOLDER/cii/*.xml"
    )
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    parser.add_argument(
        "--by-rule", nargs="*", metavar="PACK", help="what each rule costs, of these packs or all"
    )
    args = parser.parse_args()
    if args.by_rule is not None:
        return by_rule(args)
    meter = Meter()
    medians: dict[str, dict[str, float]] = {}
    ratio: dict[str, float] = {}
    for syntax in INVOICE_SYNTAXES:
        documents = list(made(syntax, args))
        times = meter.measure(syntax, documents)
        show(syntax, documents, times)
        medians[syntax.value] = {
            step: round(statistics.median(taken), 3) for step, taken in times.items()
        }
        ratio |= ratios(syntax, times)
    growth = {pack: x for syntax in INVOICE_SYNTAXES for pack, x in meter.growth(syntax).items()}
    seconds = meter.chain()
    print(f"Time for {MANY_LINES} lines ÷ {FEW_LINES}: " + _listed(growth))
    print(f"French chain on a UBL invoice of {CHAIN_LINES} lines, parse to findings: {seconds} s")
    print("Shipped ÷ optimised: " + _listed(ratio))
    if args.json:
        lines = {
            "growth_10000_over_1000": max(growth.values(), default=0.0),
            "seconds_5000": seconds,
        }
        print(json.dumps({"ratio": ratio, "ms": medians, "lines": lines}))
    return 0


def _listed(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {figure:.2f}" for name, figure in figures.items())


def by_rule(args: argparse.Namespace) -> int:
    """What the dearest rules of each pack cost, on the first document."""
    catalogue = Catalogue.load()
    for syntax in INVOICE_SYNTAXES:
        document = next(made(syntax, args))
        for pack in PACKS[syntax]:
            if args.by_rule and pack not in args.by_rule:
                continue
            try:
                found = costs(catalogue.artefact(pack), document)
            except (RulePackError, Unfamiliar) as error:
                print(f"{pack} is not measured: {error}", file=sys.stderr)
                continue
            print(f"{pack}, {len(document) / 1000:.1f} kB")
            rows = [
                (cost.milliseconds, cost.pattern, ", ".join(cost.assertions)[:40], cost.rule[:60])
                for cost in found[:DEAREST]
            ]
            headers = ("ms", "pattern", "assertions", "rule (none: finding its elements)")
            print(tabulate(rows, headers=headers, floatfmt=".3f"))
            print()
    return 0


def chains(syntax: Syntax, ready: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The chains that can be measured, and each pack that is in none of them as one of its own."""
    found = {chain: packs for chain, packs in CHAINS[syntax].items() if set(packs) <= set(ready)}
    return found | {
        pack: (pack,) for pack in ready if not any(pack in packs for packs in found.values())
    }


def ratios(syntax: Syntax, times: Times) -> dict[str, float]:
    """How many times longer each chain takes as shipped: median over the documents."""
    return {
        chain: round(
            statistics.median(
                shipped / optimised
                for shipped, optimised in zip(
                    times[SHIPPED.format(chain)], times[chain], strict=True
                )
            ),
            2,
        )
        for chain in CHAINS[syntax]
        if chain in times
    }


def made(syntax: Syntax, args: argparse.Namespace) -> Iterator[bytes]:
    """The documents to measure: generated, or the files given, again and again."""
    if args.files is None:
        invoice = INVOICES[syntax]
        size = {} if args.lines is None else {"lines": args.lines}
        for number in range(args.n):
            yield invoice(f"BENCH-{number:06d}", **size)
        return
    files = [path.read_bytes() for path in sorted((args.files / syntax.value).glob("*.xml"))]
    if not files:
        raise SystemExit(f"There are no files {args.files / syntax.value}/*.xml.")
    for number in range(args.n):
        yield files[number % len(files)]


def show(syntax: Syntax, documents: list[bytes], times: Times) -> None:
    """A table for people."""
    size = statistics.median(len(data) for data in documents) / 1000
    print(f"{syntax.value.upper()}, {len(documents)} documents, median {size:.1f} kB")
    rows = [
        (
            step,
            min(taken),
            statistics.median(taken),
            sorted(taken)[int(0.95 * (len(taken) - 1))],
        )
        for step, taken in times.items()
    ]
    print(tabulate(rows, headers=("step", "least ms", "median ms", "95 % ms"), floatfmt=".2f"))
    print()


if __name__ == "__main__":
    sys.exit(main())
