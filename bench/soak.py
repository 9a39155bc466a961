"""The whole line under steady load for long: what grows that must not.

    python -m bench.soak [--minutes 30] [--share 0.7] [--burst 1000] [--every 10] [--rate R]
                         [--json]

First the maximum is measured: `--burst` invoices by SFTP as fast as they go, in documents a second
from the first put until every result and report is confirmed, by a real RabbitMQ. Then `--share` of
it is offered for `--minutes`, in batches from `--sessions` sessions, one invoice in ten rejected;
meanwhile a back office takes the messages and the partner fetches its reports. `--rate` offers so
many a second instead.

Sampled are resident memory, descriptors and threads of every process; journal, its log, and spool;
what waits in the outbox and for its acknowledgement; and from receipt to report, of the reports
since the sample before. The first fifth of the time is for caches to fill: it is not looked at.
Printed is each figure with its slope, by the hour and by 10,000 documents, and what is allowed
(`bench/soak_meters.py`). Exit code 1 when something grew that must not, a process died, less was
sent than offered, or in the end not every file had one result and one report.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from bench.disk import folder_apart
from bench.meters import wait_until_out
from bench.soak_load import Fetcher, Office, Sender
from bench.soak_meters import Meters, Sample, judge, replaced
from tests.broker import Broker
from tests.gateway_process import GatewayProcess

DEADLINE_SECONDS = 1800.0
WARM_UP = 200
UNSEEN = 0.2
"""Share of the time in which caches fill."""
SAMPLES = 60
_SHORTEST, _LONGEST = 1.0, 30.0
"""Between two samples, in seconds."""
_DRAIN_SECONDS = 5.0


def main(arguments: list[str] | None = None) -> int:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default 30)")
    parser.add_argument("--share", type=float, default=0.7, help="of the maximum (default 0.7)")
    parser.add_argument("--rate", type=float, help="documents a second, whatever the maximum is")
    parser.add_argument("--burst", type=int, default=1000, help="for the maximum (default 1000)")
    parser.add_argument("--every", type=float, default=10.0, help="s between batches (default 10)")
    parser.add_argument("--sessions", type=int, default=4, help="SFTP sessions (default 4)")
    parser.add_argument("--judges", type=int, default=2, help="judge processes (default 2)")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args(arguments)
    with folder_apart("bench-soak-") as folder:
        measured = measure(folder, args)
    show(measured)
    if args.json:
        print(json.dumps(measured))
    return 1 if measured["faults"] else 0


def measure(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Start everybody, measure, offer, and look."""
    broker = Broker(folder / "broker")
    gateway: GatewayProcess | None = None
    try:
        broker.start()
        gateway = GatewayProcess(
            folder / "gateway", judges=args.judges, rabbitmq_port=broker.port, uniqueness=True
        )
        file = gateway.folder / "partners" / f"{gateway.partner}.toml"
        file.write_text(file.read_text() + "once_only = true\n")  # its last table is [sftp]
        office = Office(broker)
        office.begin()
        gateway.start()
        return _soak(gateway, folder, office, args)
    finally:
        if gateway is not None:
            gateway.ensure_gone()
        broker.close()


def _soak(
    gateway: GatewayProcess, folder: Path, office: Office, args: argparse.Namespace
) -> dict[str, Any]:
    sender = Sender(gateway, folder / "files", args.sessions)
    fetcher = Fetcher(gateway, folder / "fetched")
    fetcher.start()
    highest = _maximum(gateway, sender, args.burst)
    rate = args.rate or args.share * highest
    before, seconds = sender.sent, 60 * args.minutes
    stop = threading.Event()
    load = threading.Thread(target=sender.steadily, args=(rate, seconds, args.every, stop))
    load.start()
    try:
        samples = _samples(gateway, load, seconds)
    finally:
        stop.set()
        load.join()
    offered, sent = rate * seconds, sender.sent - before
    if sender.trouble:
        sys.exit(f"sftp failed: {sender.trouble[0]}\n{gateway.log_tail()}")
    wait_until_out(gateway, sender.sent, time.monotonic() + DEADLINE_SECONDS)
    fetcher.end()
    _wait_for(office, sender.sent)
    office.end()
    judged = judge(samples, rate)
    faults = [f"{each.name}: {each.allowed}" for each in judged if not each.good]
    faults += [f"{name} is not the process it was" for name in replaced(samples)]
    if sent < 0.95 * offered - rate * args.every:
        faults.append(f"{offered:.0f} were offered, {sent} sent: the gateway was too slow")
    faults += account(sender.sent, office.taken, fetcher.fetched, office.trouble)
    return {
        "maximum": round(highest, 1),
        "rate": round(rate, 1),
        "seconds": round(seconds),
        "offered": round(offered),
        "sent": sent,
        "behind_seconds": round(sender.behind, 1),
        "figures": [each._asdict() for each in judged],
        "faults": faults,
    }


def _maximum(gateway: GatewayProcess, sender: Sender, count: int) -> float:
    """Documents a second in a burst, after a warm-up."""
    sender.burst(WARM_UP)
    deadline = time.monotonic() + DEADLINE_SECONDS
    wait_until_out(gateway, WARM_UP, deadline)
    began = time.monotonic()
    sender.burst(count)
    if sender.trouble:
        sys.exit(f"sftp failed: {sender.trouble[0]}\n{gateway.log_tail()}")
    wait_until_out(gateway, WARM_UP + count, deadline)
    return count / (time.monotonic() - began)


def _samples(gateway: GatewayProcess, load: threading.Thread, seconds: float) -> list[Sample]:
    """While the load lasts, after its first part."""
    meters = Meters(gateway)
    began = time.monotonic()
    pause = min(_LONGEST, max(_SHORTEST, seconds / SAMPLES))
    load.join(UNSEEN * seconds)
    meters.sample()  # the latencies of the first part are not those of the first sample
    samples = []
    while load.is_alive() and time.monotonic() - began < seconds:
        load.join(pause)
        samples.append(meters.sample())
    return samples


def _wait_for(office: Office, count: int) -> None:
    """Let the back office take what is on its way to it."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline and not office.trouble:
        if all(len(office.taken[exchange]) >= count for exchange in _EACH):
            time.sleep(_DRAIN_SECONDS / 5)  # one too many would come now
            return
        time.sleep(0.2)


_EACH = ("edi.documents", "edi.acknowledgements")
"""Exchanges that get one message for each file."""


def account(
    sent: int,
    taken: dict[str, set[str]],
    fetched: set[str],
    trouble: BaseException | None,
) -> list[str]:
    """What does not balance: each file has one result, one report there and one for its partner."""
    found = {exchange: len(taken[exchange]) for exchange in _EACH} | {"reports": len(fetched)}
    faults = [
        f"{sent} files were sent, {count} came by way of {where}"
        for where, count in found.items()
        if count != sent
    ]
    return faults + ([f"the consumer ended: {trouble}"] if trouble else [])


def show(measured: dict[str, Any]) -> None:
    """The figures for people."""
    print(
        f"At most {measured['maximum']} documents/s; offered {measured['rate']} a second for"
        f" {measured['seconds'] / 60:.1f} minutes: {measured['sent']} sent, at most"
        f" {measured['behind_seconds']} s after they were due.\n"
    )
    print(tabulate([_row(each) for each in measured["figures"]], headers=_HEADERS))
    for fault in measured["faults"]:
        print(f"FAULT {fault}")


_HEADERS = (
    "what",
    "first",
    "last",
    "highest",
    "an hour",
    "10,000 documents",
    "allowed: seen",
    "",
)


def _row(figure: dict[str, Any]) -> Sequence[Any]:
    unit = f" ({figure['unit']})" if figure["unit"] else ""
    numbers = (figure[key] for key in ("first", "last", "highest", "per_hour", "per_10_000"))
    return (
        figure["name"] + unit,
        *(round(number, 1) for number in numbers),
        figure["allowed"],
        "" if figure["good"] else "GREW",
    )


if __name__ == "__main__":
    sys.exit(main())
