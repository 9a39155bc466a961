"""AS2 messages through the running daemon: how many a second get their receipt.

    python -m bench.as2 [-n 24000] [--connections 8] [--json]

Invoices of about 20 kB, signed (RSA 2048, SHA-256) and encrypted (AES-256), each with a signed
synchronous MDN, which leaves only when payload, body and journal row are on disk. The messages are
packed beforehand; sending them and checking their receipts takes place on the same cores. The
judges are stopped meanwhile: this measures receiving, `bench.pipeline` measures judging.

Beside it stands what the same cryptography costs by itself, without files, journal or HTTP, and
what a new file costs on this disk (see `bench.disk`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from tabulate import tabulate

from bench.as2_load import Load, identity, introduce, packed
from bench.disk import creation_us, folder_apart
from bench.meters import meters
from bench.stopped import judges_stopped, let_judges_stand
from gateway.core.as2.cms import Identity
from tests.broker import Broker, free_port
from tests.gateway_process import GatewayProcess

INVOICE_BYTES = 20_000


def main() -> int:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.as2", description=__doc__)
    parser.add_argument(
        "-n", type=int, default=24_000, help="messages (default 24000: more than a minute)"
    )
    parser.add_argument("--connections", type=int, default=8, help="default 8")
    parser.add_argument("--embedded", action="store_true", help="publish to files, no broker")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args()
    with folder_apart("bench-as2-") as folder:
        measured = measure(folder, args.n, args.connections, embedded=args.embedded)
    show(measured)
    if args.json:
        print(json.dumps(measured))
    return 1 if measured["faults"] else 0


def measure(folder: Path, count: int, connections: int, *, embedded: bool) -> dict[str, Any]:
    """Pack, send, and read the meters."""
    broker = None if embedded else Broker(folder / "broker")
    try:
        if broker is not None:
            broker.start()
        return _measured(folder, count, connections, broker)
    finally:
        if broker is not None:
            broker.close()


def _measured(folder: Path, count: int, connections: int, broker: Broker | None) -> dict[str, Any]:
    hub, partner = identity("hub"), identity("bench")
    port = free_port()
    gateway = GatewayProcess(
        folder / "gateway",
        judges=1,
        rabbitmq_port=broker.port if broker else None,
        settings=f"[http]\nenabled = true\nport = {port}\n"
        '[as2]\nid = "HUB"\nidentities = ["hub.pem"]\n',
    )
    let_judges_stand(gateway)
    introduce(gateway, hub, partner)
    messages = packed(folder / "messages", count, partner, hub)
    size = sum(message.path.stat().st_size for message in messages[:50]) / len(messages[:50])
    creation = creation_us(folder)
    try:
        gateway.start()
        with judges_stopped(gateway):
            before = meters(gateway)
            load = Load(port, messages, hub)
            cpu = time.process_time()
            load.run(connections)
            cpu = time.process_time() - cpu
            after = meters(gateway)
    finally:
        gateway.ensure_gone()
    by_role = {
        role: round(1000 * (after[role][0] - before[role][0]) / count, 2)
        for role in after
        if role != "worker"
    }
    second = [sum(at <= t < at + 1 for t in load.answered) for at in range(int(load.seconds))]
    return {
        "messages": count,
        "message_bytes": round(size),
        "connections": connections,
        "seconds": round(load.seconds, 1),
        "messages_per_second": round(count / load.seconds, 1),
        "slowest_second": min(second, default=0),
        "cpu_ms_per_message": {**by_role, "load generator": round(1000 * cpu / count, 2)},
        "bare_ms": bare(hub, partner),
        "file_creation_us": creation,
        "peak_rss_mb": {role: round(mb) for role, (_, mb) in after.items() if role != "worker"},
        "faults": load.faults[:5],
    }


def bare(hub: Identity, partner: Identity, rounds: int = 300) -> dict[str, float]:
    """Milliseconds of what cannot be saved: one decryption, one verification, one signature."""
    scheme, digest = padding.PKCS1v15(), hashes.SHA256()
    key, data = os.urandom(32), os.urandom(INVOICE_BYTES)
    carried = hub.private_key.public_key().encrypt(key, scheme)
    signature = partner.private_key.sign(data, scheme, digest)
    public = partner.private_key.public_key()

    def timed(work: Any) -> float:
        began = time.process_time()
        for _ in range(rounds):
            work()
        return round(1000 * (time.process_time() - began) / rounds, 3)

    def aes() -> None:
        decryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).decryptor()
        decryptor.update(data[: len(data) // 16 * 16])

    return {
        "rsa decrypt": timed(lambda: hub.private_key.decrypt(carried, scheme)),
        "aes-256 20 kB": timed(aes),
        "rsa verify": timed(lambda: public.verify(signature, data, scheme, digest)),
        "rsa sign": timed(lambda: hub.private_key.sign(data, scheme, digest)),
    }


def show(measured: dict[str, Any]) -> None:
    """The figures for people."""
    print(
        f"{measured['messages']} messages of {measured['message_bytes']} bytes over"
        f" {measured['connections']} connections in {measured['seconds']:.1f} s:"
        f" {measured['messages_per_second']:.0f} messages/s,"
        f" {measured['slowest_second']} in the slowest second.\n"
    )
    cpu, rss = measured["cpu_ms_per_message"], measured["peak_rss_mb"]
    rows = [(role, f"{ms:.2f}", rss.get(role, "")) for role, ms in cpu.items()]
    rows.append(("all of it", f"{sum(cpu.values()):.2f}", ""))
    print(tabulate(rows, headers=("process", "CPU ms/message", "peak RSS MB"), numalign="right"))
    bare_ms = measured["bare_ms"]
    words = ", ".join(f"{name} {ms:.3f}" for name, ms in bare_ms.items())
    print(f"\nBare cryptography, ms: {words}; together {sum(bare_ms.values()):.2f}.")
    print(f"A new file on this disk: {measured['file_creation_us']:.0f} µs of CPU.")
    for fault in measured["faults"]:
        print(f"FAULT {fault}")


if __name__ == "__main__":
    sys.exit(main())
