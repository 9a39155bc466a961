"""The ways files come to the gateway while it is being killed, and what comes back on each.

A route delivers a batch in order and says how many of its files the gateway called received, in
the one way each protocol has: the success of a `put`, an answer 202, a signed receipt, a file that
is gone from the folder it was left in. Afterwards it says which acknowledgements it has.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from typing import Protocol

from tests.as2_partner import Said
from tests.gateway_process import GatewayProcess
from tests.service.sshd import Sshd
from tests.torture.load import Parcel

SESSION_SECONDS = 60.0
GONE_SECONDS = 30.0
"""How long a file may lie in a folder before its sender looks whether the gateway is there."""
TOKEN = "torture"
_RECEIVED = "received "

Delivered = tuple[int, str]
"""How many files were received, from the first on, and what was said of the next."""


class Route(Protocol):
    """One partner's way in and back."""

    partner: str
    hangups: int
    """How often a sender vanished on it."""

    def deliver(self, batch: Sequence[Parcel], folder: Path) -> Delivered:
        """Send files, which lie in `folder` too, until one is not received."""

    def vanish(self, sent: Parcel, folder: Path, dice: Random) -> bool:
        """Send a file, and be gone in the middle, or before the answer. False: was too late."""

    def acknowledgements(self) -> dict[str, bytes]:
        """Those that came back, by their names."""


class SftpRoute:
    """OpenSSH's client: some files are put, some are put and renamed."""

    def __init__(self, gateway: GatewayProcess, folder: Path, partner: str = "acme") -> None:
        self.partner = partner
        self._gateway = gateway
        self._folder = folder
        self._broken: set[str] = set()
        """Names whose client was killed: its user tries to go on where it ended."""
        self.hangups = 0

    def vanish(self, sent: Parcel, folder: Path, dice: Random) -> bool:
        """The client, made slow, is killed before it is done."""
        command = self._gateway.sftp_command(self.partner)
        command[1:1] = ["-B", "2048", "-l", "400"]  # bytes at once, kbit a second
        client = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert client.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the gateway hung up first
            client.stdin.write(f"{_put('put', sent, folder)}\n".encode())
            client.stdin.flush()
        try:
            client.wait(dice.uniform(0.3, 2.0))
        except subprocess.TimeoutExpired:
            client.kill()
        with contextlib.suppress(BrokenPipeError):
            client.stdin.close()
        client.wait()
        if client.returncode != -signal.SIGKILL:
            return False
        self._broken.add(sent.name)
        return True

    def deliver(self, batch: Sequence[Parcel], folder: Path) -> Delivered:
        """A `put`, or its rename, that succeeded. What was broken off is resumed, tried once."""
        commands = []
        for number, each in enumerate(batch):
            how = "reput" if each.name in self._broken else "put"
            self._broken.discard(each.name)
            commands.append(_put(how, each, folder))
            if each.renamed:
                commands.append(f"rename in/{each.name}.part in/{each.name}")
            # A batch ends with the first command that fails, so this runs only after a success.
            commands.append(f"!echo {_RECEIVED}{number}")
        client = subprocess.Popen(
            self._gateway.sftp_command(self.partner),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            output, _ = client.communicate("\n".join(commands) + "\n", SESSION_SECONDS)
        except subprocess.TimeoutExpired:
            client.kill()
            output, _ = client.communicate()
        return sum(line.startswith(_RECEIVED) for line in output.splitlines()), output

    def acknowledgements(self) -> dict[str, bytes]:
        """What lies in `out/`, as the partner fetches it."""
        self._folder.mkdir()
        commands = [f"lcd {self._folder}", "get out/*"]
        done = self._gateway.sftp(commands, partner=self.partner)
        assert done.returncode == 0, done.stderr
        return _files(self._folder)


def _put(how: str, sent: Parcel, folder: Path) -> str:
    return f"{how} {folder / sent.name} in/{sent.name}{'.part' if sent.renamed else ''}"


class HttpRoute:
    """One POST for each file, with a token."""

    partner = "poster"

    def __init__(self, gateway: GatewayProcess, port: int) -> None:
        self._port = port
        self._places: dict[tuple[str, str], str] = {}
        self.hangups = 0
        sum_ = hashlib.sha256(TOKEN.encode()).hexdigest()
        give_channel(gateway, self.partner, f'[http]\ntoken_sha256 = ["{sum_}"]\n')

    def deliver(self, batch: Sequence[Parcel], folder: Path) -> Delivered:
        """Answered with 202."""
        for number, each in enumerate(batch):
            body = (folder / each.name).read_bytes()
            try:
                answer = self._ask("POST", f"/v1/interchanges?name={each.name}", body)
            except (OSError, HTTPException) as error:
                return number, repr(error)
            if answer.status != 202:
                return number, f"{answer.status} {answer.body[:300]!r}"
            self._places[each.key] = json.loads(answer.body)["acknowledgements"]
        return len(batch), ""

    def acknowledgements(self) -> dict[str, bytes]:
        """One for each file, under the name the gateway gives it."""
        found = {}
        for place in sorted(set(self._places.values())):
            answer = self._ask("GET", place)
            assert answer.status == 200, answer
            found[answer.get("Content-Disposition").partition('filename="')[2][:-1]] = answer.body
        return found

    def vanish(self, sent: Parcel, folder: Path, dice: Random) -> bool:
        """Half of the body, or all of it and not waiting for the answer."""
        del folder
        fields = {"Authorization": f"Bearer {TOKEN}"}
        return hang_up(self._port, f"/v1/interchanges?name={sent.name}", sent.content, fields, dice)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Said:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=SESSION_SECONDS)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}"})
            response = connection.getresponse()
            return Said(response.status, tuple(response.getheaders()), response.read())
        finally:
            connection.close()


class FolderRoute:
    """A program on the same machine, which renames files into a folder and waits until they go."""

    partner = "mover"

    def __init__(self, gateway: GatewayProcess, folder: Path) -> None:
        self._inbox, self._out = folder / "inbox", folder / "out"
        self.hangups = 0
        for each in (self._inbox, self._out):
            each.mkdir(parents=True)
        give_channel(
            gateway,
            self.partner,
            f'[folder]\ninbox = "{self._inbox}"\nout = "{self._out}"\n'
            "quiet_seconds = 0.2\nrescan_seconds = 1\n",
        )

    def deliver(self, batch: Sequence[Parcel], folder: Path) -> Delivered:
        """Gone from the folder."""
        for each in batch:
            # What is still there from before is the same file: nobody was there to take it.
            partial = self._inbox / f"{each.name}.part"
            partial.write_bytes((folder / each.name).read_bytes())
            partial.rename(self._inbox / each.name)
        return _wait_until_gone([self._inbox / each.name for each in batch])

    def vanish(self, sent: Parcel, folder: Path, dice: Random) -> bool:
        """Half of the file lies there under its temporary name."""
        del folder, dice
        (self._inbox / f"{sent.name}.part").write_bytes(sent.content[: len(sent.content) // 2])
        return True

    def acknowledgements(self) -> dict[str, bytes]:
        """What lies in the other folder."""
        return _files(self._out)


class RemoteRoute:
    """A server of the partner's, where the gateway fetches files and leaves reports."""

    partner = "host"

    def __init__(self, gateway: GatewayProcess, folder: Path) -> None:
        folder.mkdir()
        self.hangups = 0
        self.server = Sshd(folder)
        self.server.start()
        remote = self.server.remote()
        give_channel(
            gateway,
            self.partner,
            f'[sftp_remote]\nhost = "127.0.0.1"\nport = {remote.port}\n'
            f'username = "{remote.username}"\nhost_key = "{remote.host_key}"\n'
            f'key_file = "{remote.key_file}"\nfetch_from = "{remote.fetch_from}"\n'
            f'push_to = "{self.server.home / "in"}"\nstable_seconds = 0.2\npoll_seconds = 1.0\n',
        )

    def deliver(self, batch: Sequence[Parcel], folder: Path) -> Delivered:
        """Gone from the partner's folder."""
        out = self.server.home / "out"
        for each in batch:
            (self.server.home / each.name).write_bytes((folder / each.name).read_bytes())
            (self.server.home / each.name).rename(out / each.name)
        return _wait_until_gone([out / each.name for each in batch])

    def vanish(self, sent: Parcel, folder: Path, dice: Random) -> bool:
        """The gateway fetches: nobody else takes part in that."""
        del sent, folder, dice
        return False

    def acknowledgements(self) -> dict[str, bytes]:
        """What was left there."""
        return _files(self.server.home / "in")


def hang_up(
    port: int, path: str, body: bytes, fields: Mapping[str, str | None], dice: Random
) -> bool:
    """POST some of a body, or all of it, and end the connection without the answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=SESSION_SECONDS)
    try:
        connection.putrequest("POST", path)
        for name, value in fields.items():
            if value is not None:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        connection.send(body[: dice.choice((len(body) // 2, len(body)))])
        time.sleep(dice.uniform(0.0, 0.3))
    except (OSError, HTTPException):
        return False  # nobody was there
    finally:
        connection.close()
    return True


def _wait_until_gone(paths: Sequence[Path]) -> Delivered:
    """How many went, if all went so far; the others are left where they are."""
    deadline = time.monotonic() + GONE_SECONDS
    while time.monotonic() < deadline:
        left = [number for number, path in enumerate(paths) if path.exists()]
        if not left:
            return len(paths), ""
        time.sleep(0.1)
    return left[0], f"{paths[left[0]].name} is still there"


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in _visible(folder.iterdir())}


def _visible(files: Iterable[Path]) -> Iterable[Path]:
    """What every reader looks at: hidden names are files under way."""
    return (file for file in files if not file.name.startswith("."))


def give_channel(gateway: GatewayProcess, partner: str, table: str) -> None:
    """Give a partner another channel, and only that one to be answered by."""
    file = gateway.folder / "partners" / f"{partner}.toml"
    file.write_text(file.read_text().partition("[sftp]\n")[0] + table)
