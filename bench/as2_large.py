"""Very large AS2 messages through the running daemon: memory of each process, seconds per stage.

    python -m bench.as2_large [--mb 1000] [--base64-mb 300] [--json]

Three messages, each signed, compressed and encrypted, and each with a signed synchronous receipt:

- an archive of a few invoices and of attachments that nothing compresses: `--mb` MB are sent;
- one XML of `--mb` MB that repeats itself: little is sent, and all of it comes out here;
- an archive of `--base64-mb` MB whose encrypted body travels in base64.

All are received and judged. No process may grow by more than 200 MB meanwhile, nor may the one
that packs them: whatever a message holds goes from file to file. The exit code says whether that
and every receipt came true. A small message comes first, so that what is loaded once is loaded.

MB are 10^6 bytes where they count content, 2^20 where they count memory. The settings are the
defaults, unless `--mb` exceeds their limits. The disk (TMPDIR) needs room for six times `--mb`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from tabulate import tabulate

from bench.as2_large_sender import INVOICES, Sender, archive, repeated
from bench.as2_load import identity, introduce
from bench.meters import forget_peak, peak_mb, processes, wait_until_out
from gateway.config.settings import As2, Http
from gateway.model.container import ContainerLimits
from gateway.service.journal import open_reader, records
from tests.broker import free_port
from tests.gateway_process import GatewayProcess

MOST_MB = 200
"""What a process may grow by."""
MB = 1_000_000
DISK = 6
"""How many times the content lies on the disk: twice in the spool for each large message, and while
one is packed or opened, twice more."""
DEADLINE_SECONDS = 3600.0


class Case(NamedTuple):
    """A message to send. `write`: makes a payload of so many bytes at most, in a file."""

    name: str
    filename: str
    content_type: str
    write: Callable[[Path, int], None]
    mb: int
    verdicts: dict[str, int]
    base64: bool = False


class Memory(NamedTuple):
    """MB of one process: before the message, its peak until the receipt came, its peak at all."""

    before: float
    receiving: float | None
    peak: float

    @property
    def rise(self) -> float:
        """By how much it grew."""
        return self.peak - self.before


class Growth:
    """How much processes grow from now on. One that is new then has grown by all it has.

    `at_rest`: what they had at an earlier moment, from which it counts instead.
    """

    def __init__(
        self,
        watched: Iterable[psutil.Process],
        at_rest: dict[psutil.Process, float] | None = None,
    ) -> None:
        self._before = at_rest or {each: each.memory_info().rss / 1024**2 for each in watched}
        self._receiving: dict[psutil.Process, float] = {}
        for process in self._before:
            forget_peak(process.pid)

    def receipt_came(self) -> None:
        """Note the peaks so far."""
        self._receiving = {
            each: round(peak_mb(each.pid), 1) for each in self._before if each.is_running()
        }

    def seen(self, watched: dict[psutil.Process, str]) -> dict[str, Memory]:
        """By role, the process that grew most."""
        found: dict[str, Memory] = {}
        for process, role in watched.items():
            memory = Memory(
                before=round(self._before.get(process, 0.0), 1),
                receiving=self._receiving.get(process),
                peak=round(peak_mb(process.pid), 1),
            )
            if role not in found or memory.rise > found[role].rise:
                found[role] = memory
        return found


def main() -> int:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.as2_large", description=__doc__)
    parser.add_argument("--mb", type=int, default=1000, help="MB of content (default 1000)")
    parser.add_argument("--base64-mb", type=int, default=300, help="in base64 (default 300)")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-as2-large-") as folder:
        need, free = DISK * args.mb * MB, shutil.disk_usage(folder).free
        if free < need:
            sys.exit(f"{need / 1e9:.0f} GB of disk are needed; {folder} has {free / 1e9:.0f} free.")
        measured = measure(Path(folder), args.mb, args.base64_mb)
    show(measured)
    if args.json:
        print(json.dumps(measured))
    return 1 if measured["faults"] else 0


def measure(folder: Path, mb: int, base64_mb: int) -> dict[str, Any]:
    """Start a gateway, send it everything, and read the meters."""
    good = {"accepted": INVOICES}
    cases = [
        Case("warm-up", "small.tar.gz", "application/gzip", archive, 25, good),
        Case("archive", "large.tar.gz", "application/gzip", archive, mb, good),
        Case("XML", "large.xml", "application/xml", repeated, mb, {"rejected": 1}),
        Case("base64", "base64.tar.gz", "application/gzip", archive, base64_mb, good, base64=True),
    ]
    hub, partner, port = identity("hub"), identity("bench"), free_port()
    gateway = GatewayProcess(folder / "gateway", settings=_settings(port, mb, base64_mb))
    introduce(gateway, hub, partner)
    sender = Sender(folder, port, partner, hub)
    messages, faults = [], []
    try:
        gateway.start()
        for number, case in enumerate(cases, 1):
            message = _through(gateway, sender, case, number)
            if number > 1:
                messages.append(message)
            faults += [f"{case.name}: {fault}" for fault in message.pop("faults")]
    finally:
        gateway.ensure_gone()
    return {"messages": messages, "faults": faults}


def _settings(port: int, mb: int, base64_mb: int) -> str:
    """The defaults, raised where so much content would not pass."""
    content = max(mb, base64_mb) * MB
    body = max(mb * MB * 11 // 10, base64_mb * MB * 14 // 10)
    return (
        f"[http]\nenabled = true\nport = {port}\n"
        f"max_body_bytes = {max(Http().max_body_bytes, body)}\n"
        f'[as2]\nid = "HUB"\nidentities = ["hub.pem"]\n'
        f"max_bytes = {max(As2().max_bytes, content)}\n"
        f"[containers]\nmax_bytes = {max(ContainerLimits().max_bytes, content)}\n"
    )


def _through(gateway: GatewayProcess, sender: Sender, case: Case, number: int) -> dict[str, Any]:
    """One message, from its making to the end of its interchange, the `number`-th of them."""
    seconds: dict[str, float] = {}
    began = time.monotonic()

    def stage(name: str) -> None:
        nonlocal began
        now = time.monotonic()
        seconds[name], began = round(now - began, 1), now

    payload = sender.folder / case.filename
    case.write(payload, case.mb * MB)
    size = payload.stat().st_size
    stage("making the content")
    ourselves = {psutil.Process(): "packing"}
    packing = Growth(ourselves)
    packed = sender.pack(payload, case.content_type, f"<{number}@bench>", base64=case.base64)
    memory = packing.seen(ourselves)
    payload.unlink()
    stage("packing")
    growth = Growth(processes(gateway))
    with sender.connected() as connection:
        sender.post(connection, packed)
        stage("sending")
        fault = sender.receipt(connection, packed)
        stage("waiting for the receipt")
    growth.receipt_came()
    wait_until_out(gateway, number, time.monotonic() + DEADLINE_SECONDS)
    stage("judging")
    memory |= growth.seen(processes(gateway))
    verdicts = _verdicts(gateway)
    faults = [fault] if fault else []
    if verdicts != case.verdicts:
        faults.append(f"judged {verdicts}, not {case.verdicts}")
    faults += [
        f"{role} grew by {seen.rise:.0f} MB" for role, seen in memory.items() if seen.rise > MOST_MB
    ]
    return {
        "message": case.name,
        "content_mb": round(size / MB, 1),
        "body_mb": round(packed.size / MB, 1),
        "seconds": seconds,
        "memory_mb": {role: {**m._asdict(), "rise": round(m.rise)} for role, m in memory.items()},
        "faults": faults,
    }


def _verdicts(gateway: GatewayProcess) -> dict[str, int]:
    """Of the interchange that came last."""
    with open_reader(gateway.state / "journal.sqlite").connect() as conn:
        (row,) = records.list_interchanges(conn, limit=1)
        return records.verdicts_of(conn, [row.id]).get(row.id, {})


def show(measured: dict[str, Any]) -> None:
    """The figures for people."""
    for message in measured["messages"]:
        print(
            f"{message['message']}: {message['content_mb']} MB of content,"
            f" a body of {message['body_mb']} MB."
        )
        stages = ", ".join(f"{name} {s:.1f}" for name, s in message["seconds"].items())
        print(f"Seconds: {stages}.\n")
        rows = [(role, *m.values()) for role, m in message["memory_mb"].items()]
        headers = ("process", "RSS before MB", "peak to the receipt", "peak to the end", "grew by")
        print(tabulate(rows, headers=headers, numalign="right", floatfmt=".0f"), end="\n\n")
    for fault in measured["faults"]:
        print(f"FAULT {fault}")


if __name__ == "__main__":
    sys.exit(main())
