"""What crypto workers that died left behind goes; what a living one is at work on stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gateway.service.as2.crypto import clear_after_the_dead

SLEEP = "import time; time.sleep(600)"


def test_only_the_folders_of_living_crypto_workers_stay(tmp_path: Path) -> None:
    """Neither a number nobody has keeps one, nor a zombie's, nor that of another program."""
    worker = subprocess.Popen([sys.executable, "-c", SLEEP, "gateway.crypto_worker"])
    other = subprocess.Popen([sys.executable, "-c", SLEEP])
    zombie = subprocess.Popen([sys.executable, "-c", SLEEP, "gateway.crypto_worker"])
    try:
        zombie.kill()
        while Path("/proc", str(zombie.pid), "cmdline").read_bytes():
            pass  # dying; nobody waits for it, so it stays a zombie
        for name in (worker.pid, other.pid, zombie.pid, 2**22 + 1):
            (tmp_path / f"crypto-{name}").mkdir()
            (tmp_path / f"crypto-{name}" / "body").write_bytes(b"x")
        (tmp_path / "something-else").mkdir()
        clear_after_the_dead(tmp_path)
        assert {each.name for each in tmp_path.iterdir()} == {
            f"crypto-{worker.pid}",
            "something-else",
        }
    finally:
        for each in (worker, other, zombie):
            each.kill()
            each.wait()
