"""Very large files through the running daemon: what each process takes more than at rest.

    python -m bench.memory [-n 10000] [--mb 1000] [--invoice-mb 100] [--only NAME ...]
                           [--embedded] [--json]

- `archive`: a tar.gz of `--mb` MB by SFTP, with `-n` invoices; each has a file attached (BT-125)
  that nothing compresses, so all of it is unpacked, decoded and kept;
- `invoice`: one invoice of `--invoice-mb` MB by SFTP, nearly all of it one attached file;
- `as2`: messages of `--mb` MB, as `python -m bench.as2_large` sends them.

A process is at rest once the judges have compiled their rules, have judged a few of the same kind,
and nobody works. Its peak is the kernel's (VmHWM), so no moment between two looks is missed. None
may rise by more than 200 MB, whatever is in the files; the one judge that has the large invoice, by
800 MB. Exit code 1 when one did, or when a file did not come to its end as it should.

MB are 10^6 bytes where they count content, 2^20 where they count memory. The settings are the
defaults. The disk (TMPDIR) needs room for six times `--mb`.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import random
import shutil
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from tabulate import tabulate

from bench import as2_large
from bench.as2_large import Growth, Memory
from bench.invoices import ubl_invoice
from bench.meters import processes, wait_for_rest, wait_until_out
from gateway.service.journal import open_reader, records
from tests.attached_documents import with_attachment
from tests.broker import Broker
from tests.gateway_process import GatewayProcess

MOST_MB = as2_large.MOST_MB
LANE_MB = 800
"""What the one judge may take more that has the large invoice."""
MB = 1_000_000
DEADLINE_SECONDS = 7200.0
NAMES = ("archive", "invoice", "as2")
_DISK = 6
_BASE64_MB = 30
_BESIDE = 4_000
"""What an invoice and its entry take in the archive, compressed, apart from the attached file."""
_INVOICE = 16_000
"""What an invoice takes, apart from the attached file."""
_LINES_OF_BASE64 = 3 / 4 * 76 / 77
"""Bytes that one byte of Base64 with its line ends holds."""
_CODED = 1.03
"""Base64 of random bytes, compressed: so much more than the bytes."""


class Case(NamedTuple):
    """A file to send. `lane`: what the judge that has it may take more."""

    name: str
    filename: str
    write: Callable[[Path], None]
    verdicts: dict[str, int]
    lane: int = MOST_MB


def main(arguments: list[str] | None = None) -> int:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("-n", type=int, default=10_000, help="invoices (default 10000)")
    parser.add_argument("--mb", type=int, default=1000, help="MB of a file (default 1000)")
    parser.add_argument("--invoice-mb", type=int, default=100, help="of the invoice (default 100)")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="these only")
    parser.add_argument("--embedded", action="store_true", help="publish to files, no broker")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
        need, free = _DISK * args.mb * MB, shutil.disk_usage(folder).free
        if free < need:
            sys.exit(f"{need / 1e9:.0f} GB of disk are needed; {folder} has {free / 1e9:.0f} free.")
        measured = measure(Path(folder), args)
    for fault in measured["faults"]:
        print(f"FAULT {fault}")
    if args.json:
        print(json.dumps(measured))
    return 1 if measured["faults"] else 0


def measure(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """All that was asked for. Each file's figures are printed as soon as they are there."""
    cases = [
        Case(
            "archive",
            "large.tar.gz",
            lambda path: archive(path, args.n, args.mb * MB),
            {"accepted": args.n},
        ),
        Case(
            "invoice",
            "large.xml",
            lambda path: large_invoice(path, args.invoice_mb),
            {"accepted": 1},
            LANE_MB,
        ),
    ]
    wanted = [case for case in cases if case.name in args.only]
    measured = _by_sftp(folder, wanted, embedded=args.embedded) if wanted else []
    found: dict[str, Any] = {
        "files": measured,
        "faults": [fault for each in measured for fault in each.pop("faults")],
    }
    if "as2" in args.only:
        (folder / "as2").mkdir()
        found["as2"] = as2_large.measure(folder / "as2", args.mb, _BASE64_MB)
        found["faults"] += [f"AS2 {fault}" for fault in found["as2"].pop("faults")]
        as2_large.show({**found["as2"], "faults": []})
    return found


def _by_sftp(folder: Path, cases: list[Case], *, embedded: bool) -> list[dict[str, Any]]:
    broker = None if embedded else Broker(folder / "broker")
    gateway: GatewayProcess | None = None
    try:
        if broker is not None:
            broker.start()
        gateway = GatewayProcess(
            folder / "gateway", judges=2, rabbitmq_port=broker.port if broker else None
        )
        gateway.start()
        _warm_up(gateway, folder)
        at_rest = {each: each.memory_info().rss / 1024**2 for each in processes(gateway)}
        measured = []
        for number, case in enumerate(cases, 2):
            measured.append(_through(gateway, folder, case, number, at_rest))
            show(measured[-1])
        return measured
    finally:
        if gateway is not None:
            gateway.ensure_gone()
        if broker is not None:
            broker.close()


def _warm_up(gateway: GatewayProcess, folder: Path) -> None:
    """What is loaded once is loaded, in every judge."""
    path = folder / "warm.tar.gz"
    archive(path, 40, 2 * MB)
    _put(gateway, path)
    wait_until_out(gateway, 1, time.monotonic() + DEADLINE_SECONDS)
    wait_for_rest(gateway, time.monotonic() + DEADLINE_SECONDS)


def _put(gateway: GatewayProcess, path: Path) -> None:
    done = gateway.sftp([f"put {path} in/{path.name}"], timeout=DEADLINE_SECONDS)
    if done.returncode != 0:
        sys.exit(f"sftp failed: {done.stderr}")


def _through(
    gateway: GatewayProcess,
    folder: Path,
    case: Case,
    number: int,
    at_rest: dict[psutil.Process, float],
) -> dict[str, Any]:
    """One file, from its making to the end of its interchange, the `number`-th of them."""
    path = folder / case.filename
    case.write(path)
    size = path.stat().st_size
    growth = Growth(processes(gateway), at_rest)
    began = time.monotonic()
    _put(gateway, path)
    growth.receipt_came()
    sent = time.monotonic() - began
    path.unlink()
    wait_until_out(gateway, number, time.monotonic() + DEADLINE_SECONDS)
    memory = growth.seen(numbered(processes(gateway)))
    verdicts = _verdicts(gateway)
    faults = [] if verdicts == case.verdicts else [f"judged {verdicts}, not {case.verdicts}"]
    faults += too_much(memory, case.lane)
    return {
        "file": case.name,
        "mb": round(size / MB, 1),
        "seconds": {"sending": round(sent, 1), "all": round(time.monotonic() - began, 1)},
        "memory_mb": {
            name: {**each._asdict(), "rise": round(each.rise)} for name, each in memory.items()
        },
        "faults": [f"{case.name}: {fault}" for fault in faults],
    }


def numbered(watched: dict[psutil.Process, str]) -> dict[psutil.Process, str]:
    """Each process with a name of its own: the second judge is `worker 2`."""
    seen: Counter[str] = Counter()
    names = {}
    for process in sorted(watched, key=lambda each: each.pid):
        seen[watched[process]] += 1
        names[process] = f"{watched[process]} {seen[watched[process]]}"
    return names


def too_much(memory: dict[str, Memory], lane: int) -> list[str]:
    """Who took more than allowed. One judge may have been the lane."""
    judges = [name for name in memory if name.startswith("worker")]
    one = max(judges, key=lambda name: memory[name].rise, default=None)
    return [
        f"{name} took {each.rise:.0f} MB more than at rest, {most} are allowed"
        for name, each in memory.items()
        if each.rise > (most := lane if name == one else MOST_MB)
    ]


def archive(path: Path, count: int, most: int) -> None:
    """A tar.gz of at most `most` bytes, nearly as large: so many accepted invoices, all different.

    Raises ValueError when so many cannot be so small.
    """
    size = int((most / count - _BESIDE) / _CODED)
    if size < 1:
        raise ValueError(f"{count} invoices are larger than {most} bytes")
    dice = random.Random(count)
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for number in range(count):
            name = f"{path.name.partition('.')[0]}-{number:06d}"
            data = with_attachment(ubl_invoice(name), b"%PDF-1.7\n" + dice.randbytes(size))
            entry = tarfile.TarInfo(f"{name}.xml")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def large_invoice(path: Path, mb: int) -> None:
    """One invoice of nearly so many MB, and no more: nearly all of it is one attached file."""
    size = int((mb * MB - _INVOICE) * _LINES_OF_BASE64)
    content = base64.encodebytes(b"%PDF-1.7\n" + random.Random(mb).randbytes(size))
    path.write_bytes(with_attachment(ubl_invoice(path.stem), content.decode()))


def _verdicts(gateway: GatewayProcess) -> dict[str, int]:
    """Of the interchange that came last."""
    with open_reader(gateway.state / "journal.sqlite").connect() as conn:
        (row,) = records.list_interchanges(conn, limit=1)
        return dict(records.verdicts_of(conn, [row.id]).get(row.id, {}))


def show(measured: dict[str, Any]) -> None:
    """The figures of one file, for people."""
    seconds = measured["seconds"]
    print(
        f"{measured['file']}: {measured['mb']} MB, sent in {seconds['sending']:.1f} s, everything"
        f" confirmed after {seconds['all']:.1f} s.\n"
    )
    rows = [
        (name, each["before"], each["receiving"], each["peak"], each["rise"])
        for name, each in measured["memory_mb"].items()
    ]
    headers = ("process", "RSS at rest MB", "peak to the receipt", "peak to the end", "more by")
    print(tabulate(rows, headers=headers, numalign="right", floatfmt=".0f"), end="\n\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
