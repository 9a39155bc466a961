"""`edi-gateway run` and the signals of a service manager."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal (proc(5), SigCgt)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


@pytest.mark.parametrize("pause", [*(each / 200 for each in range(12)), 0.3, 1.0])
def test_sigterm_while_starting_is_an_orderly_stop(tmp_path: Path, pause: float) -> None:
    """From the moment it listens to signals, SIGTERM ends it with 0, started or not."""
    (tmp_path / "partners").mkdir()
    config = tmp_path / "gateway.toml"
    config.write_text(
        '[paths]\nstate = "state"\npartners = "partners"\n[sftp]\nport = 0\n'
        "[judges]\nprocesses = 1\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "run", "--config", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not catches(process.pid, signal.SIGTERM):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(pause)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_port_somebody_holds_is_said_in_one_line(tmp_path: Path) -> None:
    """Exit code 3, so that systemd tries again; what to do, and no traceback each time."""
    (tmp_path / "partners").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        config = tmp_path / "gateway.toml"
        config.write_text(
            '[paths]\nstate = "state"\npartners = "partners"\n'
            f'[sftp]\nlisten = "127.0.0.1"\nport = {port}\n[judges]\nprocesses = 1\n'
        )
        ended = subprocess.run(
            [sys.executable, "-m", "gateway", "run", "--config", str(config)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ended.returncode == 3
    lines = ended.stderr.splitlines()
    failed = [json.loads(line) for line in lines if '"start_failed"' in line]
    assert [line["level"] for line in failed] == ["critical"]
    assert f"cannot listen on 127.0.0.1 port {port}" in failed[0]["error"]
    assert "traceback" not in failed[0]
    assert lines.count(f"edi-gateway: {failed[0]['error']}") == 1
