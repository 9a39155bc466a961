"""What both peers are to the tests: a program that logs, starts, and is ended by its process id."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.interop.hub import Hub, until


class PeerProcess:
    """One process. Subclasses say how it is started and how its log tells that it listens."""

    name: str

    def __init__(self, log_file: Path) -> None:
        self.log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.log_file.parent,
            )
        until(self._up, lambda: f"{self.name} did not start:\n{self.log()[-4000:]}")

    def stop(self) -> None:
        """End it, by its own process id."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def log(self) -> str:
        """All it said."""
        return self.log_file.read_text(errors="replace")

    def _up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.name} ended:\n{self.log()[-4000:]}"
        return self._listens()

    def _command(self) -> Sequence[str]:
        raise NotImplementedError

    def _listens(self) -> bool:
        raise NotImplementedError


@contextmanager
def both_running(hub: Hub, peer: PeerProcess) -> Iterator[None]:
    """The gateway and a peer, until the tests are through; the gateway then ends well."""
    try:
        hub.gateway.start()
        peer.start()
        yield
        assert hub.gateway.stop() == 0
    finally:
        peer.stop()
        hub.gateway.ensure_gone()
