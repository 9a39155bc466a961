"""Intake by SFTP, durable, beside OpenSSH's own server with `put -f`, in one run.

    python -m bench.sftp_intake [-n 1000] [--kb 21] [--sessions 4] [--mb 500] [--rounds 3]
                               [--embedded] [--floor] [--json]

The same files go, with the same client, to the gateway and to an `internal-sftp` of our own on
loopback (`tests/service/sshd.py`), in turns:

- `small`: `-n` files of `--kb` kB over `--sessions` sessions at once;
- `large`: one file of `--mb` MB.

A close that the gateway confirms says that file, folder and journal are on the disk; `put -f` makes
OpenSSH's server fsync each file (fsync@openssh.com), and no folder. Seconds count from the first
`put`, once every client has logged in, to the end of the last one. Each round has files of its own,
for what the gateway has in its spool already would be nothing new to write, and each server begins
half of the rounds. The judges stand still meanwhile: they would measure the number of cores. What
the gateway publishes of each file goes to a real RabbitMQ, or to files (`--embedded`). With
`--floor` the same files also go to paramiko's own server with nothing around it
(`bench/sftp_bare.py`): what is left for the gateway lies between the two.

Printed are the seconds of each round, their medians, the server's seconds of CPU, and the median of
the rounds' ratios beside what is allowed. Exit code 1 when one is higher, or when the journal does
not have every file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from tabulate import tabulate

from bench.disk import creation_us, folder_apart
from bench.invoices import ubl_invoice
from bench.meters import wait_for_rest, wait_until_out
from bench.sftp_bare import BareSftp
from bench.sftp_servers import Gateway, OpenSsh, Server
from bench.stopped import judges_stopped, let_judges_stand
from gateway.config.settings import Sftp
from gateway.durable import sync_file_system
from gateway.service.journal import open_reader
from gateway.service.journal.tables import interchanges
from tests.broker import Broker
from tests.gateway_process import GatewayProcess
from tests.service.sshd import Sshd

ALLOWED = {"small": 3.0, "large": 1.5}
"""How many times as long as OpenSSH's server the gateway may take."""
DEADLINE_SECONDS = 1800.0
KB, MB = 1_000, 1_000_000
GATEWAY, OPENSSH, FLOOR = "gateway", "OpenSSH", "paramiko"
_CHUNK = 1 << 20
_LOGIN_SECONDS = 60.0
_WARM = 5
"""Files sent before anything is counted: the first session loads what all share."""
_DISK = 3.5
"""How many times the files of each round lie on the disk: nothing is removed meanwhile, for removed
files make new ones dearer (`bench/disk.py`)."""


class Plan(NamedTuple):
    """What is sent, and how often."""

    n: int = 1000
    kb: int = 21
    sessions: int = 4
    mb: int = 500
    rounds: int = 3


class Taken(NamedTuple):
    """What it took to send the files of one round: seconds, and the server's seconds of CPU."""

    seconds: float
    cpu: float


def main(arguments: list[str] | None = None) -> int:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.sftp_intake", description=__doc__)
    parser.add_argument("-n", type=int, default=1000, help="small files (default 1000)")
    parser.add_argument("--kb", type=int, default=21, help="kB of each (default 21)")
    parser.add_argument("--sessions", type=int, default=4, help="sessions (default 4)")
    parser.add_argument("--mb", type=int, default=500, help="MB of the large file (default 500)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default 3)")
    parser.add_argument("--embedded", action="store_true", help="publish to files, no broker")
    parser.add_argument("--floor", action="store_true", help="paramiko's own server as well")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args(arguments)
    plan = Plan(args.n, args.kb, args.sessions, args.mb, args.rounds)
    with folder_apart("bench-sftp-intake-") as folder:
        need = _DISK * plan.rounds * (plan.n * plan.kb * KB + plan.mb * MB)
        free = shutil.disk_usage(folder).free
        if free < need:
            sys.exit(f"{need / 1e9:.1f} GB of disk are needed; {folder} has {free / 1e9:.1f} free.")
        measured = measure(folder, plan, embedded=args.embedded, floor=args.floor)
    show(measured)
    if args.json:
        print(json.dumps(measured))
    return 1 if measured["faults"] else 0


def measure(folder: Path, plan: Plan, *, embedded: bool, floor: bool = False) -> dict[str, Any]:
    """Start the servers, with a broker behind the gateway, and send to them in turns."""
    broker = None if embedded else Broker(folder / "broker")
    process = GatewayProcess(
        folder / "gateway", judges=1, rabbitmq_port=broker.port if broker else None
    )
    let_judges_stand(process)
    (folder / "openssh").mkdir()
    server = Sshd(folder / "openssh")
    servers: dict[str, Server] = {GATEWAY: Gateway(process), OPENSSH: OpenSsh(server)}
    bare = _bare(folder / "bare", server.remote().key_file) if floor else None
    if bare is not None:
        servers[FLOOR] = bare
    taken: dict[str, dict[str, list[Taken]]] = {
        kind: {name: [] for name in servers} for kind in ALLOWED
    }
    try:
        if broker is not None:
            broker.start()
        server.start()
        process.start()
        new_file_us = creation_us(folder)
        for name, each in servers.items():
            _send(each, [_small_files(folder / "warm", f"warm-{name}", _WARM, plan.kb)])
        deadline = time.monotonic() + DEADLINE_SECONDS
        wait_until_out(process, _WARM, deadline)
        wait_for_rest(process, deadline)
        with judges_stopped(process):
            for number in range(plan.rounds):
                for kind, batches in _content(folder, plan, number).items():
                    order = list(servers) if number % 2 == 0 else list(servers)[::-1]
                    for name in order:
                        sync_file_system(folder)
                        taken[kind][name].append(_send(servers[name], batches))
        received = _received(process)
    finally:
        process.ensure_gone()
        server.stop()
        if bare is not None:
            bare.stop()
        if broker is not None:
            broker.close()
    sent = _WARM + plan.rounds * (plan.n + 1)
    kinds = {kind: figures(kind, each) for kind, each in taken.items()}
    faults = faults_of(kinds, sent=sent, received=received)
    return {"plan": plan._asdict(), **kinds, "new_file_us": new_file_us, "faults": faults}


def figures(kind: str, taken: dict[str, list[Taken]]) -> dict[str, Any]:
    """Of one kind of files: each round, the medians, and how the two compare."""

    def ratio(name: str) -> float:
        pairs = zip(taken[name], taken[OPENSSH], strict=True)
        return round(statistics.median(a.seconds / b.seconds for a, b in pairs), 3)

    return {
        "seconds": {name: [round(one.seconds, 3) for one in each] for name, each in taken.items()},
        "median": {
            name: round(statistics.median(one.seconds for one in each), 3)
            for name, each in taken.items()
        },
        "cpu_seconds": {
            name: round(statistics.median(one.cpu for one in each), 3)
            for name, each in taken.items()
        },
        "ratio": ratio(GATEWAY),
        **({"floor": ratio(FLOOR)} if FLOOR in taken else {}),
        "allowed": ALLOWED[kind],
    }


def faults_of(kinds: dict[str, dict[str, Any]], *, sent: int, received: int) -> list[str]:
    """What is not as it should be."""
    faults = [] if received == sent else [f"{sent} files were sent, the journal has {received}"]
    return faults + [
        f"{kind}: {found['ratio']:.2f} times as long, {found['allowed']} are allowed"
        for kind, found in kinds.items()
        if found["ratio"] > found["allowed"]
    ]


def _bare(folder: Path, key_file: str) -> BareSftp:
    """As many processes as the gateway has by default."""
    folder.mkdir()
    return BareSftp(folder, key_file, Sftp().processes)


def _content(folder: Path, plan: Plan, number: int) -> dict[str, list[list[Path]]]:
    """The files of one round, by session; nothing is in two rounds."""
    small = _small_files(folder / "small", f"R{number}", plan.n, plan.kb)
    large = folder / f"R{number}-large.bin"
    with large.open("wb") as file:
        for at in range(0, plan.mb * MB, _CHUNK):
            file.write(os.urandom(min(_CHUNK, plan.mb * MB - at)))
    return {
        "small": [small[session :: plan.sessions] for session in range(plan.sessions)],
        "large": [[large]],
    }


def _small_files(folder: Path, prefix: str, count: int, kb: int) -> list[Path]:
    """Invoices, filled up to the size with a comment."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{prefix}-{number:06d}.xml" for number in range(count)]
    for path in paths:
        data = ubl_invoice(path.stem, lines=max(1, math.floor((kb - 5) / 0.83)))
        filler = max(0, kb * KB - len(data) - len("<!---->"))
        path.write_bytes(data + b"<!--" + b"x" * filler + b"-->")
    return paths


def _send(server: Server, batches: Sequence[Sequence[Path]]) -> Taken:
    """Each batch in a session of its own, all at once: from the first put to the end of the last.

    All have logged in before the first begins. The CPU is that of the logins, too.
    """
    before = server.cpu_seconds()
    spans: list[tuple[float, float]] = []
    faults: list[str] = []
    together = threading.Barrier(len(batches))

    def session(batch: Sequence[Path]) -> None:
        clock = "!date +%s.%N"
        with subprocess.Popen(
            server.command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(clock + "\n")
            client.stdin.flush()
            while (line := client.stdout.readline()) and not _is_time(line.strip()):
                pass
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(_LOGIN_SECONDS)
            work = "\n".join([clock, *(server.put(path) for path in batch), clock]) + "\n"
            said, complaints = client.communicate(work, timeout=DEADLINE_SECONDS)
        times = [float(line) for line in said.splitlines() if _is_time(line)]
        if client.returncode != 0 or len(times) != 2:
            faults.append(complaints)
        else:
            spans.append((times[0], times[1]))

    threads = [threading.Thread(target=session, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults or together.broken or len(spans) != len(batches):
        sys.exit(f"sftp failed: {faults}")
    seconds = max(end for _, end in spans) - min(start for start, _ in spans)
    return Taken(seconds, server.cpu_seconds() - before)


def _is_time(line: str) -> bool:
    return line.replace(".", "", 1).isdigit()


def _received(process: GatewayProcess) -> int:
    """How many files the journal has."""
    with open_reader(process.state / "journal.sqlite").connect() as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(interchanges)).scalar_one())


def show(measured: dict[str, Any]) -> None:
    """The figures for people."""
    plan = Plan(**measured["plan"])
    titles = {
        "small": f"{plan.n} × {plan.kb} kB, {plan.sessions} sessions",
        "large": f"1 × {plan.mb} MB",
    }
    rows = [
        (
            title,
            name,
            *(f"{each:.2f}" for each in measured[kind]["seconds"][name]),
            f"{measured[kind]['median'][name]:.2f}",
            f"{measured[kind]['cpu_seconds'][name]:.2f}",
            _compared(measured[kind], name),
        )
        for kind, title in titles.items()
        for name in (OPENSSH, FLOOR, GATEWAY)
        if name in measured[kind]["seconds"]
    ]
    rounds = [f"round {number + 1} (s)" for number in range(plan.rounds)]
    headers = ("files", "server", *rounds, "median", "CPU (s)", "ratio")
    print(tabulate(rows, headers=headers, disable_numparse=True))
    print(f"A new file cost {measured['new_file_us']} µs of CPU here before the first round.")
    for fault in measured["faults"]:
        print(f"FAULT {fault}")


def _compared(found: dict[str, Any], name: str) -> str:
    """How many times as long as OpenSSH's server."""
    if name == GATEWAY:
        return f"{found['ratio']:.2f} (allowed {found['allowed']})"
    return f"{found['floor']:.2f}" if name == FLOOR else ""


if __name__ == "__main__":
    sys.exit(main())
