"""Where `bench.sftp_intake` sends its files: the gateway, and OpenSSH's own server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

import psutil

from bench.meters import processes
from tests.gateway_process import GatewayProcess
from tests.service.sshd import Sshd

_SESSION_ENDS_SECONDS = 0.5


class Server(Protocol):
    """Where files are sent."""

    def command(self) -> list[str]:
        """OpenSSH's client, reading its batch from standard input."""
        ...

    def put(self, path: Path) -> str:
        """The line of the batch that sends this file, durably."""
        ...

    def cpu_seconds(self) -> float:
        """What its processes, those of ended sessions too, have used so far."""
        ...


class Gateway:
    """The running gateway."""

    def __init__(self, process: GatewayProcess) -> None:
        self._process = process

    def command(self) -> list[str]:
        """As its partner does."""
        return self._process.sftp_command()

    def put(self, path: Path) -> str:
        """Its close is the promise."""
        return f"put {path} in/{path.name}"

    def cpu_seconds(self) -> float:
        """Of the reactor and the SFTP processes; judges stand still."""
        return float(sum(sum(each.cpu_times()[:2]) for each in processes(self._process)))


class OpenSsh:
    """OpenSSH's server."""

    def __init__(self, server: Sshd) -> None:
        self._server = server
        self._in = server.home / "in"

    def command(self) -> list[str]:
        """The client with the options it has towards the gateway."""
        remote = self._server.remote()
        options = {
            "UserKnownHostsFile": self._server.folder / "known_hosts",
            "StrictHostKeyChecking": "no",
            "IdentitiesOnly": "yes",
            "LogLevel": "ERROR",
        }
        return [
            *("sftp", "-q", "-b", "-", "-F", "/dev/null", "-P", str(remote.port)),
            *("-i", remote.key_file),
            *(word for key, value in options.items() for word in ("-o", f"{key}={value}")),
            f"{remote.username}@{remote.host}",
        ]

    def put(self, path: Path) -> str:
        """With an fsync at its end."""
        return f"put -f {path} {self._in / path.name}"

    def cpu_seconds(self) -> float:
        """A session is counted once its process has ended, which is a moment after its client."""
        time.sleep(_SESSION_ENDS_SECONDS)
        (server,) = (each for each in psutil.Process().children() if each.name() == "sshd")
        return float(sum(server.cpu_times()[:4]))
