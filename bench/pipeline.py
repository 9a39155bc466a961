"""The whole line under load: invoices by SFTP, through the running daemon, out of RabbitMQ.

    python -m bench.pipeline [-n 1000] [--sessions 4] [--json]

Prints documents per second from the first byte sent to the last confirm, CPU per document by
process, where a judge's time goes, and the peak memory of every process. The broker is a real
node on loopback, and its own CPU and the client's are shown apart: on two cores they compete
with the gateway.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from tabulate import tabulate

from bench.disk import folder_apart
from bench.invoices import cii_invoice, ubl_invoice
from bench.meters import meters, wait_until_out
from tests.broker import Broker
from tests.gateway_process import GatewayProcess

DEADLINE_SECONDS = 1800.0


def main() -> int:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.pipeline", description=__doc__)
    parser.add_argument("-n", type=int, default=1000, help="invoices to send (default 1000)")
    parser.add_argument("--sessions", type=int, default=4, help="SFTP sessions (default 4)")
    parser.add_argument("--judges", type=int, default=2, help="judge processes (default 2)")
    parser.add_argument("--cii", type=float, default=0.0, help="share of CII, 0 to 1 (default 0)")
    parser.add_argument("--embedded", action="store_true", help="publish to files, no broker")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args()
    with folder_apart("bench-pipeline-") as folder:
        measured = measure(folder, args)
    show(measured)
    if args.json:
        print(json.dumps(measured["json"]))
    return 0


def measure(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Send, wait, and read the meters."""
    broker = None if args.embedded else Broker(folder / "broker")
    gateway: GatewayProcess | None = None
    try:
        if broker is not None:
            broker.start()
        gateway = GatewayProcess(
            folder / "gateway",
            judges=args.judges,
            rabbitmq_port=broker.port if broker else None,
            uniqueness=True,  # as partners have it by default; no invoice comes twice
        )
        gateway.start()
        return _measure(folder, args, gateway)
    finally:
        if gateway is not None:
            gateway.ensure_gone()
        if broker is not None:
            broker.close()


def _measure(folder: Path, args: argparse.Namespace, gateway: GatewayProcess) -> dict[str, Any]:
    batches = list(_write_invoices(folder, args.n, args.sessions, args.cii))
    size = statistics.mean(path.stat().st_size for batch in batches for path in batch)
    before = meters(gateway)
    client_before = psutil.Process().cpu_times()
    started = time.monotonic()
    failures: list[str] = []

    def send(batch: list[Path]) -> None:
        done = gateway.sftp([f"put {p} in/{p.name}" for p in batch], timeout=DEADLINE_SECONDS)
        if done.returncode != 0:
            failures.append(done.stderr)

    threads = [threading.Thread(target=send, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent_seconds = time.monotonic() - started
    if failures:
        sys.exit(f"sftp failed: {failures[0]}")
    wait_until_out(gateway, args.n, started + DEADLINE_SECONDS)
    seconds = time.monotonic() - started
    after = meters(gateway)
    client_after = psutil.Process().cpu_times()
    client = sum(client_after[2:4]) - sum(client_before[2:4])  # waited-for children: sftp
    cpu = {role: after[role][0] - before[role][0] for role in after}
    peak = {role: after[role][1] for role in after}
    return {
        "documents": args.n,
        "bytes": size,
        "seconds": seconds,
        "sent_seconds": sent_seconds,
        "cpu": cpu,
        "client_cpu": client,
        "peak": peak,
        "steps": _judge_steps(gateway),
        "json": {
            "documents_per_second": round(args.n / seconds, 1),
            "cpu_ms_per_document": round(1000 * sum(cpu.values()) / args.n, 2),
            "peak_rss_mb": {role: round(mb) for role, mb in peak.items()},
            "cpu_ms_per_document_by_process": {
                role: round(1000 * used / args.n, 2) for role, used in cpu.items()
            },
        },
    }


def _write_invoices(folder: Path, count: int, sessions: int, cii: float) -> Iterator[list[Path]]:
    target = folder / "invoices"
    target.mkdir()
    for session in range(sessions):
        batch = []
        for index in range(session, count, sessions):
            maker = cii_invoice if (index // sessions) % 100 < cii * 100 else ubl_invoice
            path = target / f"FA-{index:06d}.xml"
            path.write_bytes(maker(path.stem))
            batch.append(path)
        yield batch


def _judge_steps(gateway: GatewayProcess) -> dict[str, float]:
    """Mean ms per document of each step, from the daemon's own log."""
    steps: dict[str, list[float]] = defaultdict(list)
    for line in gateway.log_file.read_text().splitlines():
        if '"document_judged"' in line:
            for step, ms in json.loads(line)["timings_ms"].items():
                steps[step].append(ms)
    return {step: statistics.mean(values) for step, values in steps.items()}


def show(measured: dict[str, Any]) -> None:
    """The figures for people."""
    count, seconds = measured["documents"], measured["seconds"]
    print(
        f"{count} invoices of {measured['bytes'] / 1000:.1f} kB in {seconds:.1f} s:"
        f" {count / seconds:.1f} documents/s, every result and acknowledgement confirmed"
        f" (the client was done after {measured['sent_seconds']:.1f} s)\n"
    )
    rows = [
        (role, f"{1000 * cpu / count:.2f}", f"{measured['peak'][role]:.0f}")
        for role, cpu in measured["cpu"].items()
    ]
    rows.append(("(the client's sftp)", f"{1000 * measured['client_cpu'] / count:.2f}", ""))
    print(tabulate(rows, headers=("process", "CPU ms/document", "peak RSS MB"), numalign="right"))
    print("\nInside a judge, ms per document")
    print(tabulate([(step, f"{ms:.2f}") for step, ms in measured["steps"].items()]))


if __name__ == "__main__":
    sys.exit(main())
