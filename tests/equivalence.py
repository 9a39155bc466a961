"""The shipped stylesheets against what the compiler makes of them, on thousands of invoices.

    python -m tests.equivalence [-n 5000] [--seed 1] [PACK …]

Every finding is compared: rule, place, severity, text. A difference is shown, its invoice kept in
the folder `equivalence`; the exit code is then 1. Beside it stands how many of a pack's rules the
invoices made fire. `make equivalence` judges 50,000 a pack.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from bench.invoices import FAULTS, cii_invoice, ubl_invoice
from gateway.core.directory import Directory, Recipient
from gateway.core.schematron.catalogue import Artefact, Catalogue
from gateway.core.schematron.preparation import prepared
from gateway.core.schematron.runner import DIRECTORY
from gateway.model.interchange import Syntax
from gateway.samples import SAMPLES, sample_bytes
from tests.b2g_documents import BUYER_SIRET
from tests.b2g_documents import DOCUMENTS as B2G
from tests.both_ways import FAILED, NOTHING_CHECKED, BothWays
from tests.directories import snapshot
from tests.facturx_documents import document
from tests.mutations import vocabulary
from tests.provocation import Provoker, rules_of
from tests.richer_invoices import allowances, many_vendors

PACKS: Final = (
    *("en16931-ubl", "en16931-cii", "extended-ctc-fr-ubl", "extended-ctc-fr-cii"),
    *("br-fr-flux2-ubl", "br-fr-flux2-cii", "facturx-en16931", "facturx-extended"),
    *("b2g-ubl", "b2g-cii"),
)
"""What must run optimised."""

PROCESSES: Final = 2


class Outcome(NamedTuple):
    """What came of it. `fired`, `rules`: ids; `differences` in words, an invoice for each."""

    judged: int
    fired: frozenset[str]
    rules: frozenset[str]
    differences: tuple[str, ...]
    failed: int

    @property
    def share(self) -> float:
        """Of the pack's rules, how many had something to say."""
        return len(self.fired & self.rules) / len(self.rules)


def compare(pack: str, count: int, seed: str, keep: Path) -> Outcome:
    """Judge so many invoices both ways, in processes beside each other."""
    keep.mkdir(exist_ok=True)
    here = Path(__file__).resolve().parents[1]
    environment = os.environ | {"PYTHONPATH": str(here)}
    running = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.equivalence", "--part", pack, "-n", str(size)),
                *("--seed", f"{seed}/{number}", "--keep", str(keep)),
            ],
            stdout=subprocess.PIPE,
            stderr=(keep / f"{pack}-{number}.log").open("wb"),  # Saxon tells each failure
            cwd=here,
            env=environment,
        )
        for number, size in enumerate(_parts(count))
    ]
    said = [process.communicate()[0] for process in running]
    for number, process in enumerate(running):
        log = keep / f"{pack}-{number}.log"
        if process.returncode:
            raise RuntimeError(f"{pack}: exit code {process.returncode}, see {log}")
        log.unlink()
    parts = [json.loads(each) for each in said]
    return Outcome(
        judged=sum(each["judged"] for each in parts),
        fired=frozenset(rule for each in parts for rule in each["fired"]),
        rules=frozenset(parts[0]["rules"]),
        differences=tuple(found for each in parts for found in each["differences"]),
        failed=sum(each["failed"] for each in parts),
    )


def _parts(count: int) -> Iterator[int]:
    for number in range(PROCESSES):
        yield count // PROCESSES + (number < count % PROCESSES)


def part(pack: str, count: int, seed: str, keep: Path) -> Outcome:
    """The same in this process: one part of it."""
    catalogue = Catalogue.load()
    artefact = catalogue.artefact(pack)
    text, parameters = prepared(artefact)
    if artefact.entry.directory:
        parameters = parameters | {DIRECTORY: _directory()}
    both = BothWays(text, parameters)
    provoker = Provoker(
        list(originals(artefact)),
        artefact.stylesheet,
        vocabulary([artefact.stylesheet]),
        f"{seed}/{pack}",
    )
    differences = []
    failed = 0
    for number in range(count):
        data = provoker.next()
        expected, found = both.answers(data)
        # A rewritten pack that fails, or cannot tell whether it checked anything, asks the shipped
        # one: its word counts.
        asks = found == FAILED or (found, expected) == (NOTHING_CHECKED, ())
        if found != expected and not asks:
            kept = keep / f"{pack}-{seed.replace('/', '-')}-{number}.xml"
            kept.write_bytes(data)
            differences.append(f"{kept}: shipped {expected}, rewritten {found}")
        if isinstance(expected, str):
            failed += 1
        else:
            provoker.told(each.rule for each in expected)
    rules = frozenset(rule.id for rule in rules_of(artefact.stylesheet))
    return Outcome(count, frozenset(provoker.fired), rules, tuple(differences), failed)


def originals(artefact: Artefact) -> Iterable[bytes]:
    """Our own invoices in the pack's syntax: samples, generated ones, those that are special."""
    syntax = artefact.entry.syntax
    yield from (sample_bytes(sample.file) for sample in SAMPLES if sample.syntax is syntax)
    yield from (data for kind, data in B2G.items() if kind.startswith(str(syntax)))
    for fault in (None, *FAULTS):
        yield from _generated(syntax, fault)
    for data in _generated(syntax, None):
        yield many_vendors(data, kind="M8")
        yield many_vendors(data, kind="S9")
        yield allowances(data)
    if syntax is Syntax.CII:
        yield document("extended", "generated")


def _generated(syntax: Syntax | None, fault: str | None) -> Iterator[bytes]:
    if syntax is Syntax.UBL:
        yield ubl_invoice("FA-1", lines=2, fault=fault)
        yield ubl_invoice("FA-2", lines=2, fault=fault, credit_note=True)
    else:
        yield cii_invoice("FA-1", lines=2, fault=fault)


def _directory() -> str:
    """What a directory says of the public buyer of our invoices: that everything is required."""
    with TemporaryDirectory() as folder:
        buyer = Recipient(BUYER_SIRET, False, True, True, True, True, ("SERVICE-1",))
        return Directory(snapshot(Path(folder), buyer)).extract([BUYER_SIRET])


def main() -> int:
    """Compare, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.equivalence", description=__doc__)
    parser.add_argument("packs", nargs="*", metavar="PACK", help="default: all that must agree")
    parser.add_argument("-n", type=int, default=5000, help="invoices per pack (default 5000)")
    parser.add_argument("--seed", default="1", help="which ones (default 1)")
    parser.add_argument("--keep", type=Path, default=Path("equivalence"), help=argparse.SUPPRESS)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--missing", action="store_true", help="name the rules that never fired")
    args = parser.parse_args()
    if args.part:
        outcome = part(args.part, args.n, args.seed, args.keep)
        print(json.dumps({name: _plain(value) for name, value in outcome._asdict().items()}))
        return 0
    wrong = 0
    for pack in args.packs or PACKS:
        outcome = compare(pack, args.n, args.seed, args.keep)
        print(words(pack, outcome), flush=True)
        if args.missing:
            print("  never:", ", ".join(sorted(outcome.rules - outcome.fired)))
        for difference in outcome.differences[:5]:
            print(f"  {difference}")
        wrong += len(outcome.differences)
    return 1 if wrong else 0


def words(pack: str, outcome: Outcome) -> str:
    """The outcome in one line."""
    fired = len(outcome.fired & outcome.rules)
    return (
        f"{pack}: {outcome.judged} damaged invoices, {len(outcome.differences)} judged otherwise;"
        f" {fired} of {len(outcome.rules)} rules fired ({100 * outcome.share:.0f} %);"
        f" {outcome.failed} that the shipped stylesheet fails on"
    )


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value


if __name__ == "__main__":
    sys.exit(main())
