"""What a running gateway costs, read from outside: CPU, memory, and whether it is done."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

import psutil

from gateway.service.journal import open_reader, records
from tests.gateway_process import GatewayProcess

_REST_SECONDS = 2.0
_REST_CPU_SECONDS = 0.1


def processes(gateway: GatewayProcess) -> dict[psutil.Process, str]:
    """The gateway's processes, each with its role."""
    daemon = psutil.Process(gateway.pid)
    return {process: _role(process, daemon) for process in [daemon, *daemon.children(True)]}


def meters(gateway: GatewayProcess) -> dict[str, tuple[float, float]]:
    """CPU seconds (sum) and peak RSS in MB (largest) by role."""
    found: dict[str, tuple[float, float]] = {}
    for process, role in processes(gateway).items():
        times = process.cpu_times()
        cpu, peak = found.get(role, (0.0, 0.0))
        found[role] = (cpu + times.user + times.system, max(peak, peak_mb(process.pid)))
    return found


def forget_peaks(gateway: GatewayProcess) -> None:
    """Let peak RSS count from now on (proc(5), clear_refs); if that is allowed."""
    for process in processes(gateway):
        forget_peak(process.pid)


def forget_peak(pid: int) -> None:
    """The same for one process."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mb(pid: int) -> float:
    """Peak RSS of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def wait_until_out(gateway: GatewayProcess, count: int, deadline: float) -> None:
    """Wait until `count` interchanges are acknowledged and nothing is left to send.

    Ends the program when `deadline` (monotonic clock) comes first.
    """
    engine = open_reader(gateway.state / "journal.sqlite")
    while time.monotonic() < deadline:
        with engine.connect() as conn:
            counts = records.counts(conn)
        done = sum(n for state, n in counts.interchanges.items() if state.value == "acknowledged")
        if done >= count and not counts.outbox:
            return
        time.sleep(0.25)
    sys.exit(f"not finished in time: {gateway.log_tail()}")


def wait_for_rest(gateway: GatewayProcess, deadline: float) -> None:
    """Wait until none of its processes works: the judges, too, have compiled what they compile.

    Ends the program when `deadline` (monotonic clock) comes first.
    """
    before = _cpu_seconds(gateway)
    while time.monotonic() < deadline:
        time.sleep(_REST_SECONDS)
        now = _cpu_seconds(gateway)
        if now - before < _REST_CPU_SECONDS:
            return
        before = now
    sys.exit(f"not at rest in time: {gateway.log_tail()}")


def _cpu_seconds(gateway: GatewayProcess) -> float:
    return float(sum(sum(process.cpu_times()[:2]) for process in processes(gateway)))


def _role(process: psutil.Process, daemon: psutil.Process) -> str:
    if process == daemon:
        return "reactor"
    words = " ".join(process.cmdline())
    if "sftp_server" in words:
        return "sftp"
    if "crypto_worker" in words:
        return "crypto"
    return "worker" if "gateway.worker" in words else "other"
