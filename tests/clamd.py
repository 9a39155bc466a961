"""A private clamd for tests: its own folder, socket and database, one signature of our own.

Nothing is downloaded: the database is one line. It ends by its own process id.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

NO_CLAMD = "EDI_GATEWAY_NO_CLAMD"
"""Set to 1 to skip what needs clamd; otherwise its absence is a failure, not a silent pass."""

VIRUS = b"EDI-GATEWAY-TEST-SIGNATURE"
"""What our one signature matches: harmless, and in no document by accident."""
SIGNATURE = "EdiGateway.Test.UNOFFICIAL"
"""What clamd calls it."""

START_SECONDS = 20.0


def clamd_command() -> str:
    """Where clamd is. Skips when told to; fails with the remedy where it is not installed."""
    if os.environ.get(NO_CLAMD) == "1":
        pytest.skip(f"{NO_CLAMD}=1")
    found = shutil.which("clamd", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.fail(
            "clamd is not installed: run `make test`, which installs Debian's package,"
            f" or set {NO_CLAMD}=1 to leave these tests out."
        )
    return found


class RealClamd:
    """One clamd in `folder`. `settings` are lines of its configuration."""

    def __init__(self, folder: Path, **settings: str | int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.socket = folder / "clamd.sock"
        self._log = folder / "clamd.log"
        database = folder / "database"
        database.mkdir()
        (database / "test.ndb").write_text(f"EdiGateway.Test:0:*:{VIRUS.hex()}\n")
        self._configuration = folder / "clamd.conf"
        lines = {
            "Foreground": "yes",
            "LocalSocket": self.socket,
            "DatabaseDirectory": database,
            "TemporaryDirectory": folder,
            "MaxThreads": 4,
            "SelfCheck": 0,
            "AlertExceedsMax": "yes",
            **settings,
        }
        self._configuration.write_text("".join(f"{key} {lines[key]}\n" for key in lines))
        self._command = clamd_command()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._command, "--config-file", str(self._configuration)],
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_SECONDS
        while not self.socket.exists():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                pytest.fail(f"clamd does not start:\n{self._log.read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self.socket.unlink(missing_ok=True)
