"""A real SFTP service with real processes, and real clients that run beside the reactor."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import bcrypt
import paramiko
import psutil
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from paramiko import SFTPClient
from twisted.internet import reactor, task
from twisted.internet.threads import deferToThread

from gateway.config.settings import Sftp
from gateway.model.partner import Partner, SftpAccess
from gateway.service.sftp_server import SftpService, Stored
from gateway.service.sftp_server.folders import in_folder
from gateway.spool import Spool

PATIENCE = 30.0
PARTNER = "acme"
PASSWORD = "correct horse battery"


class Log:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def debug(self, event: str, **fields: Any) -> None:
        """Keep it, at whatever level."""
        self.events.append({"event": event, **fields})

    info = warning = error = critical = exception = debug


async def until(condition: Callable[[], bool]) -> None:
    """Poll until the condition holds; fail after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        await task.deferLater(reactor, 0.02)


def make_key(folder: Path, name: str) -> tuple[Path, str]:
    """A new private key file and its public line."""
    key = ed25519.Ed25519PrivateKey.generate()
    file = folder / name
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    file.chmod(0o600)
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return file, line


class OutAtHome:
    """What the daemon hears of files in `out/`; `may_go` is what it answers."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str]] = []
        self.may_go = True

    async def fetched(self, partner: str, name: str) -> bool:
        """A file was read to its end."""
        self.heard.append(("fetched", partner, name))
        return self.may_go

    async def expired(self, partner: str, name: str) -> bool:
        """A file is old enough."""
        self.heard.append(("expired", partner, name))
        return self.may_go


class SftpGateway:
    """The service in this reactor, with one partner who has a key and a password.

    `received` collects what it takes in; `answer` (if set) decides instead.
    """

    def __init__(self, folder: Path, *, access: dict[str, Any] | None = None, **settings: Any):
        self.folder = folder
        self.state = folder / "state"
        self.spool = Spool(self.state / "spool")
        self.spool.prepare()
        self.log = Log()
        self.received: list[tuple[str, bytes]] = []
        self.answer: Callable[[Stored], Any] | None = None
        self.key, public = make_key(folder, "key")
        self.stranger_key, _ = make_key(folder, "stranger")
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        self._partners = [
            Partner(
                name=PARTNER,
                sftp=SftpAccess(
                    **{"authorized_keys": (public,), "password_hash": hashed, **(access or {})}
                ),
            ),
            Partner(name="left", enabled=False, sftp=SftpAccess(authorized_keys=(public,))),
        ]
        self.out: Any = OutAtHome()
        self._settings = Sftp(**{"port": 0, "processes": 1, **settings})
        self.service = self._new()

    def _new(self, **more: Any) -> SftpService:
        return SftpService(
            reactor,
            settings=self._settings,
            partners=self._partners,
            state=self.state,
            receive=self._receive,
            out=self.out,
            log=self.log,
            **more,
        )

    async def _receive(self, upload: Stored) -> str:
        if self.answer is not None:
            result: str = await self.answer(upload)
            return result
        return self.take(upload)

    def take(self, upload: Stored) -> str:
        """Look at the file where the SFTP process put it: in the spool."""
        assert self.spool.verify(upload.sha256) == upload.size
        content = self.spool.path(upload.sha256).read_bytes()
        self.received.append((upload.name, content))
        return f"interchange-{len(self.received)}"

    async def restart(self) -> None:
        """Stop, and start anew on the same state and port."""
        port = self.service.port
        await self.service.stop(5.0)
        self._settings = Sftp(
            **{name: getattr(self._settings, name) for name in Sftp.__struct_fields__}
            | {"port": port}
        )
        self.service = self._new()
        await self.service.start()

    @property
    def names(self) -> list[str]:
        """What was taken in, in order."""
        return [name for name, _ in self.received]

    @property
    def partial_bytes(self) -> int:
        """The length of the longest partial on disk."""
        parts = in_folder(self.state, PARTNER).glob("*.part")
        return max((part.stat().st_size for part in parts), default=0)

    def processes(self) -> list[psutil.Process]:
        """The SFTP processes."""
        return [psutil.Process(pid) for pid in self.service.status()["processes"]]

    # ---- clients; every command line leaves the machine's own configuration alone

    def ssh_options(self, key: Path | None = None) -> list[str]:
        """For ssh and sftp alike, but for the port."""
        return [
            *("-F", "/dev/null"),
            *("-i", str(key or self.key)),
            *("-o", "StrictHostKeyChecking=no"),
            *("-o", f"UserKnownHostsFile={self.folder / 'known_hosts'}"),
            *("-o", "IdentitiesOnly=yes"),
            *("-o", "IdentityAgent=none"),
            *("-o", "BatchMode=yes"),
            *("-o", "ConnectTimeout=20"),
        ]

    def sftp_command(self, *, user: str = PARTNER, key: Path | None = None) -> list[str]:
        """OpenSSH's sftp, reading its commands from standard input."""
        port = str(self.service.port)
        return ["sftp", *self.ssh_options(key), "-P", port, "-b", "-", f"{user}@127.0.0.1"]

    async def run(self, command: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a client to its end."""

        def blocking() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                command,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=PATIENCE * 2,
                cwd=self.folder,
                check=False,
            )

        result: subprocess.CompletedProcess[str] = await deferToThread(blocking)
        return result

    async def sftp(self, *commands: str, **who: Any) -> subprocess.CompletedProcess[str]:
        """A session of OpenSSH's sftp; ends at the first command that fails."""
        return await self.run(self.sftp_command(**who), "\n".join(commands) + "\n")

    async def ssh(self, *arguments: str, **who: Any) -> subprocess.CompletedProcess[str]:
        """OpenSSH's ssh."""
        options = [*self.ssh_options(**who), "-p", str(self.service.port)]
        return await self.run(["ssh", *options, f"{PARTNER}@127.0.0.1", *arguments])

    def lftp_command(self, *commands: str) -> list[str]:
        """lftp, through OpenSSH's ssh."""
        port = self.service.port
        program = " ".join(["ssh", "-a", "-x", *self.ssh_options()])
        script = [
            "set cmd:fail-exit yes",
            "set net:max-retries 1",
            "set net:timeout 20",
            f'set sftp:connect-program "{program}"',
            f"open -u {PARTNER}, -p {port} sftp://127.0.0.1",
            *commands,
        ]
        return ["lftp", "--norc", "-c", "; ".join(script)]

    def start_client(self, command: list[str], stdin: str = "") -> Client:
        """Start a client in a process group of its own, to be interrupted."""
        return Client(command, stdin, self.folder)

    def paramiko(self, *, username: str = PARTNER, **how: Any) -> paramiko.SSHClient:
        """A connected paramiko client. Blocks: call it in a thread."""
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        if not how:
            how = {"key_filename": str(self.key)}
        client.connect(
            "127.0.0.1",
            self.service.port,
            username,
            allow_agent=False,
            look_for_keys=False,
            timeout=20,
            banner_timeout=20,
            auth_timeout=20,
            **how,
        )
        return client

    async def with_paramiko(self, work: Callable[[SFTPClient], Any]) -> Any:
        """Run `work` with a paramiko SFTP client, in a thread."""

        def blocking() -> Any:
            with self.paramiko() as client, client.open_sftp() as sftp:
                sftp.get_channel().settimeout(PATIENCE)  # type: ignore[union-attr]
                return work(sftp)

        return await deferToThread(blocking)


class Client:
    """A client that runs while the test does something to it."""

    def __init__(self, command: list[str], stdin: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(stdin.encode())
        self._process.stdin.close()

    def kill(self) -> None:
        """End it, and the ssh it started, without a chance to say goodbye."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def interrupt(self) -> None:
        """What Ctrl-C does to sftp (its ssh ignores it)."""
        self._process.send_signal(signal.SIGINT)

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None


def content(size: int) -> bytes:
    """Bytes of which no two pieces are alike."""
    return io.BytesIO(b"".join(b"%015d\n" % number for number in range(size // 16 + 1))).read(size)
