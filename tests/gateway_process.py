"""A real gateway in a process of its own, with partners who have keys: for tests and benches."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.cli.demo_client import make_key
from gateway.faults import FAULTS
from tests.broker import free_port

READY_SECONDS = 120.0
PARTNER = "acme"


class GatewayProcess:
    """`edi-gateway run` with its own state directory, and OpenSSH's client to talk to it.

    `settings` is TOML appended to the settings file. The service manager is played by this
    class: it waits for READY=1 on the socket it names in NOTIFY_SOCKET. `wrapper` is a command
    that starts the daemon and then is it, or stands aside, as `strace -D` does. Whoever names no
    partner speaks for the first of `partners`. With `uniqueness` partners are refused what they
    sent before, as they are by default. `acknowledgements`: of their files; one report each, unless
    it says otherwise. With `faults` tests may break in at fault points, by files in that folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: str = "",
        flows: Sequence[str] = ("ctc-fr-invoice",),
        judges: int = 2,
        sftp_processes: int = 2,
        rabbitmq_port: int | None = None,
        wrapper: Sequence[str] = (),
        partners: Sequence[str] = (PARTNER,),
        uniqueness: bool = False,
        acknowledgements: str = 'html = "never"',
        faults: Path | None = None,
    ) -> None:
        self._environment = {} if faults is None else {FAULTS: str(faults)}
        self.folder = folder
        self.state = folder / "state"
        self.port = free_port()
        self.log_file = folder / "daemon.log"
        self.notifications: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._wrapper = tuple(wrapper)
        self.partner = partners[0]
        self._keys: dict[str, Path] = {}
        known = folder / "partners"
        known.mkdir(parents=True)
        once = (
            ""
            if uniqueness
            else '[uniqueness]\nenvelope = "accept"\npayload = "accept"\ninvoice = "off"\n'
        )
        listed = ", ".join(f'"{flow}"' for flow in flows)
        for name in partners:
            self._keys[name], public = make_key(folder / f"{name}-key")
            (known / f"{name}.toml").write_text(
                f'name = "{name}"\nlanguage = "fr"\nflows = [{listed}]\n'
                f"{once}[acknowledgements]\n{acknowledgements}\n"
                f'[sftp]\nauthorized_keys = ["{public}"]\n'
            )
        self.key = self._keys[self.partner]
        broker = (
            f'[rabbitmq]\nhost = "127.0.0.1"\nport = {rabbitmq_port}\n'
            "reconnect_min_seconds = 0.2\nreconnect_max_seconds = 1.0\n"
            if rabbitmq_port
            else ""
        )
        self.config = folder / "gateway.toml"
        self.config.write_text(
            f'[paths]\nstate = "state"\npartners = "partners"\n'
            f"[sftp]\nport = {self.port}\nprocesses = {sftp_processes}\n"
            f"[judges]\nprocesses = {judges}\nretry_seconds = 0.2\n"
            f"[intake]\nmin_free_mb = 10\n{broker}{settings}"
        )

    def know(self, partner: str, key: Path) -> None:
        """A partner whose file somebody else writes logs in by SFTP with this private key."""
        self._keys[partner] = key

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the daemon was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the daemon and wait until it says it is ready."""
        address = str(self.folder / "notify")
        Path(address).unlink(missing_ok=True)
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
            self.log_file.open("ab") as log,
        ):
            notify.bind(address)
            notify.settimeout(0.5)
            self._process = subprocess.Popen(
                [
                    *self._wrapper,
                    *(sys.executable, "-m", "gateway", "run", "--config", str(self.config)),
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment, "NOTIFY_SOCKET": address},
                start_new_session=True,
            )
            deadline = time.monotonic() + READY_SECONDS
            while time.monotonic() < deadline:
                try:
                    text = notify.recv(4096).decode()
                except TimeoutError:
                    if self._process.poll() is not None:
                        break
                    continue
                self.notifications.append(text)
                if "READY=1" in text.splitlines():
                    return
        raise AssertionError(f"the gateway did not get ready; its log ends:\n{self.log_tail()}")

    def stop(self, timeout: float = 60.0) -> int:
        """SIGTERM, and the exit code of the daemon."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout)

    def kill(self) -> None:
        """SIGKILL to the daemon and all its children, as a power cut would."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def ensure_gone(self) -> None:
        """Leave nothing behind, however the test ended."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def sftp(
        self, commands: Sequence[str], *, timeout: float = 300.0, partner: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one batch with OpenSSH's client; it stops at the first command that fails."""
        return subprocess.run(
            self.sftp_command(partner),
            input="\n".join(commands) + "\n",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def sftp_command(self, partner: str | None = None) -> list[str]:
        """OpenSSH's client, reading its batch from standard input."""
        partner = partner or self.partner
        options = {
            "UserKnownHostsFile": self.folder / "known_hosts",
            "StrictHostKeyChecking": "no",
            "IdentitiesOnly": "yes",
            "LogLevel": "ERROR",
        }
        return [
            *("sftp", "-q", "-b", "-", "-F", "/dev/null", "-P", str(self.port)),
            *("-i", str(self._keys[partner])),
            *(word for key, value in options.items() for word in ("-o", f"{key}={value}")),
            f"{partner}@127.0.0.1",
        ]

    def out(self) -> list[str]:
        """Names in the partner's `out/`, as the partner sees them."""
        done = self.sftp(["ls -1 out"])
        assert done.returncode == 0, done.stderr
        return [line.removeprefix("out/") for line in done.stdout.splitlines() if "out/" in line]

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another subcommand of `edi-gateway` on this gateway's configuration."""
        return subprocess.run(
            [sys.executable, "-m", "gateway", *words, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def log_tail(self, lines: int = 40) -> str:
        """The end of the daemon's log."""
        if not self.log_file.exists():
            return "(no log)"
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])
