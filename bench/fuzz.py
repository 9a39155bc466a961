"""Damaged inputs for every parser that meets a partner's bytes: none may crash, hang or surprise.

    python -m bench.fuzz [--inputs 200000] [--seed N] [--target NAME …] [--jobs N] [--keep DIR]
                         [--json]

The targets are in tests/fuzz. Each runs in processes of its own, so that one that dies or hangs is
noticed and goes on behind the input that ended it. A failure's input is written to `--keep`, made
smaller where that is soon done; `--target NAME --replay FILE` runs it again. Every target must
accept and refuse a certain part of its inputs, or they do not reach what is to be tested.
EDI_GATEWAY_CORPUS names a folder of invoices that are damaged as well. The last line is one JSON
object; with `--json` it is the only one. Exit code 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tabulate import tabulate

from tests.fuzz.child import targets_of
from tests.fuzz.target import Target
from tests.fuzz.watching import Account, Failure, fuzz

TABLE = "tests.fuzz.targets"
_FEW = 50
"""Inputs below which the parts that are accepted and refused say nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz, and print what came of it."""
    args = _arguments(arguments)
    known = targets_of(TABLE)
    names = args.target or list(known)
    targets = [known[name] for name in names]
    if args.replay:
        return _replay(targets, args.replay)
    seed = secrets.randbelow(1_000_000) if args.seed is None else args.seed
    talk = sys.stderr if args.json else sys.stdout
    print(f"seed {seed}", file=talk, flush=True)
    accounts = []
    with ThreadPoolExecutor(args.jobs) as threads:
        running = [
            threads.submit(fuzz, TABLE, target.name, seed=seed, count=count)
            for target, count in zip(targets, shares(targets, args.inputs), strict=True)
        ]
        for one in running:
            account = one.result()
            accounts.append(account)
            print(_line(account), file=talk, flush=True)
    print(_table(accounts), file=talk)
    faults = [*_failures(accounts, args.keep), *shallow(targets, accounts)]
    for fault in faults:
        print(fault, file=talk)
    print(json.dumps(_figures(seed, accounts, faults)))
    return 1 if faults else 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=200_000, help="of all targets together")
    parser.add_argument("--seed", type=int, help="repeats a run's choices (default: a new one)")
    parser.add_argument(
        "--target", action="append", choices=list(targets_of(TABLE)), metavar="NAME"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default 2)")
    parser.add_argument("--keep", type=Path, help="where inputs of failures go (default: /tmp)")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="run these inputs")
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    args = parser.parse_args(arguments)
    if args.replay and len(args.target or ()) != 1:
        parser.error("--replay needs one --target")
    return args


def shares(targets: Sequence[Target], inputs: int) -> list[int]:
    """How many inputs each target gets."""
    whole = sum(target.share for target in targets)
    return [max(1, round(inputs * target.share / whole)) for target in targets]


def shallow(targets: Iterable[Target], accounts: Iterable[Account]) -> list[str]:
    """Targets whose inputs mostly came to one end: they do not reach what is to be tested."""
    found = []
    for target, account in zip(targets, accounts, strict=True):
        if account.inputs < _FEW:
            continue
        for word, count, least in (
            ("accepted", account.accepted, target.accepted),
            ("refused", account.refused, target.refused),
        ):
            if count * 100 < least * account.inputs:
                part = f"{count} of {account.inputs}"
                found.append(f"{target.name}: only {part} inputs were {word}, not {least} %")
    return found


def _replay(targets: Sequence[Target], files: Sequence[Path]) -> int:
    parser = targets[0].parser()
    for file in files:
        print(f"{file}: {targets[0].attempt(parser, file.read_bytes())}")
    return 0


def _failures(accounts: Iterable[Account], keep: Path | None) -> list[str]:
    """Each kind of failure in words, its input saved."""
    failures = [one for account in accounts for one in account.failures.values()]
    if not failures:
        return []
    folder = keep or Path(tempfile.mkdtemp(prefix="fuzz-failures-"))
    folder.mkdir(parents=True, exist_ok=True)
    return [_said(one, folder) for one in failures]


def _said(failure: Failure, folder: Path) -> str:
    file = folder / f"{failure.target}-{hashlib.sha256(failure.data).hexdigest()[:12]}"
    file.write_bytes(failure.data)
    return (
        f"\n{failure.target}, seed {failure.seed}, input {failure.number}: {failure.what}\n"
        f"{failure.said.rstrip()}\n  {len(failure.data)} bytes in {file}"
    )


def _line(account: Account) -> str:
    return f"{account.target}: {account.inputs} in {account.seconds:.0f} s, failed {account.failed}"


def _table(accounts: Sequence[Account]) -> str:
    headers = ("target", "inputs", "accepted", "refused", "slowest ms", "failed", "kinds")
    rows = [_row(one) for one in accounts]
    whole = Account(
        "all",
        inputs=sum(one.inputs for one in accounts),
        accepted=sum(one.accepted for one in accounts),
        refused=sum(one.refused for one in accounts),
        failed=sum(one.failed for one in accounts),
        slowest_ms=max((one.slowest_ms for one in accounts), default=0.0),
    )
    rows.append((*_row(whole)[:-1], sum(len(one.failures) for one in accounts)))
    return tabulate(rows, headers)


def _row(one: Account) -> tuple[object, ...]:
    slowest = round(one.slowest_ms)
    counts = (one.inputs, one.accepted, one.refused, slowest, one.failed, len(one.failures))
    return (one.target, *counts)


def _figures(seed: int, accounts: Sequence[Account], faults: Sequence[str]) -> dict[str, Any]:
    """What others read of it."""
    return {
        "seed": seed,
        "inputs": sum(one.inputs for one in accounts),
        "accepted": sum(one.accepted for one in accounts),
        "refused": sum(one.refused for one in accounts),
        "failed": sum(one.failed for one in accounts),
        "faults": len(faults),
        "slowest_ms": round(max((one.slowest_ms for one in accounts), default=0.0)),
    }


if __name__ == "__main__":
    sys.exit(main())
