"""One archive of thousands of invoices through the running daemon.

    python -m bench.container [-n 10000] [--judges 2] [--embedded] [--json]

Prints how long it took from the first byte sent to the last confirm, documents per second, how
long opening took, the load on each judge, and for every process its memory at rest, at its peak
while the archive was worked on, and the difference: that must not grow with `-n`. A tenth of the
invoices is faulty, so that the report has something to say.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tabulate import tabulate

from bench.invoices import ubl_invoice
from bench.meters import forget_peaks, meters, processes, wait_until_out
from gateway.service.journal import open_reader, records
from tests.broker import Broker
from tests.gateway_process import GatewayProcess

DEADLINE_SECONDS = 3600.0


def main() -> int:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.container", description=__doc__)
    parser.add_argument("-n", type=int, default=10_000, help="invoices (default 10000)")
    parser.add_argument("--judges", type=int, default=2, help="judge processes (default 2)")
    parser.add_argument("--embedded", action="store_true", help="publish to files, no broker")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-container-") as folder:
        measured = measure(Path(folder), args)
    show(measured)
    if args.json:
        print(json.dumps(measured))
    return 0


def measure(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Write the archive, send it, wait, and read the meters."""
    archive = folder / "batch.tar.gz"
    unpacked = write_archive(archive, args.n)
    broker = None if args.embedded else Broker(folder / "broker")
    gateway: GatewayProcess | None = None
    try:
        if broker is not None:
            broker.start()
        gateway = GatewayProcess(
            folder / "gateway",
            judges=args.judges,
            rabbitmq_port=broker.port if broker else None,
        )
        gateway.start()
        measured = _measure(gateway, archive, args.n)
    finally:
        if gateway is not None:
            gateway.ensure_gone()
        if broker is not None:
            broker.close()
    return {**measured, "archive_mb": archive.stat().st_size / 1e6, "unpacked_mb": unpacked / 1e6}


def write_archive(path: Path, count: int) -> int:
    """A tar.gz of `count` different invoices, every tenth with a wrong total; bytes unpacked."""
    total = 0
    with tarfile.open(path, "w:gz", compresslevel=6) as archive:
        for number in range(count):
            name = f"FA-{number:06d}"
            data = ubl_invoice(name, fault="total" if number % 10 == 9 else None)
            entry = tarfile.TarInfo(f"{name}.xml")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
            total += len(data)
    return total


def _measure(gateway: GatewayProcess, archive: Path, count: int) -> dict[str, Any]:
    idle = _rss(gateway)
    before = meters(gateway)
    judges_before = _judge_seconds(gateway)
    forget_peaks(gateway)
    started = time.monotonic()
    done = gateway.sftp([f"put {archive} in/{archive.name}"], timeout=DEADLINE_SECONDS)
    if done.returncode != 0:
        sys.exit(f"sftp failed: {done.stderr}")
    wait_until_out(gateway, 1, started + DEADLINE_SECONDS)
    seconds = time.monotonic() - started
    after = meters(gateway)
    judges = [s - judges_before.get(pid, 0.0) for pid, s in _judge_seconds(gateway).items()]
    return {
        "documents": count,
        "seconds": round(seconds, 1),
        "documents_per_second": round(count / seconds, 1),
        "opening_seconds": round(_opening_seconds(gateway), 2),
        "verdicts": _verdicts(gateway),
        "judge_cpu_seconds": [round(s, 1) for s in judges],
        "cpu_ms_per_document": {
            role: round(1000 * (after[role][0] - before[role][0]) / count, 2) for role in after
        },
        "idle_rss_mb": {role: round(mb) for role, mb in idle.items()},
        "peak_rss_mb": {role: round(after[role][1]) for role in after},
        "rss_above_idle_mb": {role: round(after[role][1] - idle.get(role, 0)) for role in after},
    }


def _rss(gateway: GatewayProcess) -> dict[str, float]:
    """Memory now, in MB, of the largest process of each role."""
    found: dict[str, float] = {}
    for process, role in processes(gateway).items():
        found[role] = max(found.get(role, 0.0), process.memory_info().rss / 1024**2)
    return found


def _judge_seconds(gateway: GatewayProcess) -> dict[int, float]:
    return {
        process.pid: sum(process.cpu_times()[:2])
        for process, role in processes(gateway).items()
        if role == "worker"
    }


def _opening_seconds(gateway: GatewayProcess) -> float:
    """From received to opened, as the journal has it: unpacking and entering every member."""
    with open_reader(gateway.state / "journal.sqlite").connect() as conn:
        (row,) = records.list_interchanges(conn)
        at = {step.new: step.at for step in records.transitions_of(conn, row.id, ordinals=[0])}
    return (at["opened"] - at["received"]).total_seconds()  # type: ignore[index]


def _verdicts(gateway: GatewayProcess) -> dict[str, int]:
    with open_reader(gateway.state / "journal.sqlite").connect() as conn:
        (row,) = records.list_interchanges(conn)
        found = Counter(records.verdicts_of(conn, [row.id])[row.id])
    return dict(found)


def show(measured: dict[str, Any]) -> None:
    """The figures for people."""
    print(
        f"{measured['documents']} invoices in one tar.gz of {measured['archive_mb']:.1f} MB"
        f" ({measured['unpacked_mb']:.0f} MB unpacked): {measured['seconds']:.1f} s,"
        f" {measured['documents_per_second']:.1f} documents/s, every result and the report"
        f" confirmed.\nOpened after {measured['opening_seconds']:.1f} s; verdicts"
        f" {measured['verdicts']}; CPU seconds of each judge {measured['judge_cpu_seconds']}.\n"
    )
    rows = [
        (
            role,
            f"{measured['cpu_ms_per_document'][role]:.2f}",
            measured["idle_rss_mb"].get(role, 0),
            measured["peak_rss_mb"][role],
            measured["rss_above_idle_mb"][role],
        )
        for role in measured["peak_rss_mb"]
    ]
    headers = ("process", "CPU ms/document", "RSS at rest MB", "peak MB", "above rest MB")
    print(tabulate(rows, headers=headers, numalign="right"))


if __name__ == "__main__":
    sys.exit(main())
