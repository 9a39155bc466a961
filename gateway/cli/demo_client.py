"""The demo's partner: OpenSSH's `sftp`, or paramiko's client where that is not installed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import GatewayError

TIMEOUT_SECONDS = 120


def make_key(file: Path) -> tuple[Path, str]:
    """A fresh ed25519 key pair: the private key's file (OpenSSH format) and the public line."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(private)
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return file, public.decode()


class Client:
    """Puts files into `in/` and fetches `out/`, as a partner would."""

    def __init__(self, *, port: int, user: str, key: Path, host_key: str, folder: Path) -> None:
        self._port = port
        self._user = user
        self._key = key
        self._known_hosts = folder / "known_hosts"
        self._known_hosts.write_text(f"[127.0.0.1]:{port} {host_key}\n")
        self._sftp = shutil.which("sftp")
        self.name = "OpenSSH's sftp" if self._sftp else "paramiko's client"

    def put(self, files: Sequence[Path]) -> None:
        """Send files; returns when the server has said "received" to each."""
        if self._sftp:
            self._batch([f"put {shlex.quote(str(file))} in/{file.name}" for file in files])
            return
        with self._paramiko() as client, client.open_sftp() as sftp:
            for file in files:
                sftp.put(str(file), f"in/{file.name}")

    def get_all(self, folder: Path) -> None:
        """Fetch everything that lies in `out/`."""
        if self._sftp:
            self._batch([f"get out/* {shlex.quote(str(folder))}/"])
            return
        with self._paramiko() as client, client.open_sftp() as sftp:
            for name in sftp.listdir("out"):
                # The server's word for a name is not a path of ours.
                sftp.get(f"out/{name}", str(folder / Path(name).name))

    def interactive(self) -> str:
        """The command with which a person opens a session."""
        return shlex.join(["sftp", *self._options(), f"{self._user}@127.0.0.1"])

    def _options(self) -> list[str]:
        return [
            *("-F", "/dev/null"),
            *("-P", str(self._port)),
            *("-i", str(self._key)),
            *("-o", f"UserKnownHostsFile={self._known_hosts}"),
            *("-o", "StrictHostKeyChecking=yes"),
            *("-o", "IdentitiesOnly=yes"),
        ]

    def _batch(self, commands: Sequence[str]) -> None:
        assert self._sftp
        done = subprocess.run(  # noqa: S603  # our own arguments, no shell
            [self._sftp, "-q", "-b", "-", *self._options(), f"{self._user}@127.0.0.1"],
            input="\n".join(commands) + "\n",
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise GatewayError(f"sftp said: {done.stderr.strip() or done.stdout.strip()}")

    def _paramiko(self) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        client.load_host_keys(str(self._known_hosts))
        client.connect(
            "127.0.0.1",
            port=self._port,
            username=self._user,
            key_filename=str(self._key),
            allow_agent=False,
            look_for_keys=False,
            timeout=TIMEOUT_SECONDS,
        )
        return client
