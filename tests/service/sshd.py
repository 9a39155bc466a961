"""A real OpenSSH server of our own on loopback, with `internal-sftp` and nothing else."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway.model.partner import SftpRemote
from tests.broker import free_port
from tests.service.sftp_gateway import make_key

SSHD = "/usr/sbin/sshd"
needs_sshd = pytest.mark.skipif(
    shutil.which("sshd", path="/usr/sbin:/usr/bin") is None, reason="sshd is not installed"
)
START_SECONDS = 15.0


class Sshd:
    """The server, with one user (whoever runs the tests) and one key that may log in.

    `home` is what the partner offers: `out` to fetch from, `done`, `in` to push to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.home = folder / "remote"
        for name in ("out", "done", "in"):
            (self.home / name).mkdir(parents=True)
        self.key, login = make_key(folder, "login-key")
        self.stranger_key, _ = make_key(folder, "stranger-key")
        self._host_key, self.host_key = make_key(folder, "host-key")
        _, self.other_host_key = make_key(folder, "other-host-key")
        self.log_file = folder / "sshd.log"
        (folder / "authorized_keys").write_text(login + "\n")
        self._config = folder / "sshd_config"
        self._config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self._host_key}\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile none\nStrictModes no\n"
            "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "PermitRootLogin yes\nSubsystem sftp internal-sftp\nForceCommand internal-sftp\n"
            "LogLevel VERBOSE\nMaxStartups 100\nUseDNS no\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # Debian's unit makes it
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise AssertionError(f"sshd does not listen:\n{self.log_file.read_text()}")

    def _processes(self) -> list[psutil.Process]:
        if self._process is None or self._process.poll() is not None:
            return []
        server = psutil.Process(self._process.pid)
        return [server, *server.children(recursive=True)]

    def freeze(self) -> None:
        """From now on it, and every session of it, stands still; the kernel goes on answering."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it and every session."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)
            self._process = None

    def _signal(self, number: int) -> None:
        for each in self._processes():
            with suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def connections(self) -> int:
        """How many logins it has seen."""
        return self.log_file.read_text(errors="replace").count("Accepted publickey")

    def remote(self, **more: Any) -> SftpRemote:
        """What the partner file says of this server."""
        settings: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.port,
            "username": getpass.getuser(),
            "host_key": self.host_key,
            "key_file": str(self.key),
            "fetch_from": str(self.home / "out"),
            "stable_seconds": 0.2,
            "poll_seconds": 1.0,
        }
        return SftpRemote(**{**settings, **more})

    def put(self, name: str | bytes, content: bytes, folder: str = "out") -> Path:
        """The partner puts a file into its own folder, complete at once."""
        path = self.home / folder / os.fsdecode(name)
        path.write_bytes(content)
        return path

    def names(self, folder: str = "out") -> list[str]:
        """What lies there."""
        return sorted(os.listdir(self.home / folder))
