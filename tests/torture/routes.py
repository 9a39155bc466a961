"""The ways files come to the gateway while it is being killed, and what comes back on each.

A route delivers a batch in order and says how many of its files the gateway called received, in
the one way each protocol has: the success of a `put`, an answer 202, a signed receipt, a file that
is gone from the folder it was left in. Afterwards it says which acknowledgements it has.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Iterable, Sequence
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Protocol

from tests import as2_receipts
from tests.as2_partner import Keys, Listener, Said, encrypted, part, post, signed, verified
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

    def deliver(self, batch: Sequence[Parcel], folder: Path) -> Delivered:
        """Send files, which lie in `folder` too, until one is not received."""

    def acknowledgements(self) -> dict[str, bytes]:
        """Those that came back, by their names."""


class SftpRoute:
    """OpenSSH's client: some files are put, some are put and renamed."""

    def __init__(self, gateway: GatewayProcess, folder: Path, partner: str = "acme") -> None:
        self.partner = partner
        self._gateway = gateway
        self._folder = folder

    def deliver(self, batch: Sequence[Parcel], folder: Path) -> Delivered:
        """A `put`, or its rename, that succeeded."""
        commands = []
        for number, each in enumerate(batch):
            if each.renamed:
                temporary = f"in/{each.name}.part"
                commands.append(f"put {folder / each.name} {temporary}")
                commands.append(f"rename {temporary} in/{each.name}")
            else:
                commands.append(f"put {folder / each.name} in/{each.name}")
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


class HttpRoute:
    """One POST for each file, with a token."""

    partner = "poster"

    def __init__(self, gateway: GatewayProcess, port: int) -> None:
        self._port = port
        self._places: dict[tuple[str, str], str] = {}
        sum_ = hashlib.sha256(TOKEN.encode()).hexdigest()
        _append(gateway, self.partner, f'[http]\ntoken_sha256 = ["{sum_}"]\n')

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

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Said:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=SESSION_SECONDS)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}"})
            response = connection.getresponse()
            return Said(response.status, tuple(response.getheaders()), response.read())
        finally:
            connection.close()


class As2Route:
    """OpenSSL's messages, signed and encrypted; acknowledgements are posted to a server of ours.

    A message that is sent again keeps its Message-ID. An acknowledgement may come again: it is one
    if Message-ID and content are the same.
    """

    partner = "signer"

    def __init__(self, gateway: GatewayProcess, folder: Path, port: int) -> None:
        folder.mkdir()
        self._folder = folder
        self._port = port
        self._numbers = count(1)
        self._us, self._them = Keys(folder, "us"), Keys(folder, "them")
        self._came: dict[str, tuple[str, bytes]] = {}
        self.altered: list[str] = []
        """Acknowledgements that came again as something else, or that could not be opened."""
        self.listener = Listener()
        self.listener.answers["/signer"] = self._answer
        certificates = gateway.folder / "certificates"
        certificates.mkdir(exist_ok=True)
        (certificates / "us.pem").write_bytes(self._us.pem())
        (certificates / "us.pem").chmod(0o600)
        (certificates / "them.crt").write_bytes(self._them.certificate.read_bytes())
        _append(
            gateway,
            self.partner,
            f'[as2]\nid = "SIGNER"\ncertificates = ["them.crt"]\n'
            f'url = "{self.listener.url("/signer")}"\n',
        )

    @staticmethod
    def settings() -> str:
        """What the gateway's settings need for it."""
        return '[as2]\nid = "HUB"\nidentities = ["us.pem"]\nprocesses = 1\n'

    def deliver(self, batch: Sequence[Parcel], folder: Path) -> Delivered:
        """Answered with a receipt that OpenSSL verifies and that says processed."""
        for number, each in enumerate(batch):
            entity = part((folder / each.name).read_bytes(), each.name)
            body = encrypted(signed(entity, self._them), self._us)
            message_id = f"<{each.sha256[:32]}@signer.example>"
            try:
                answer = post(self._port, body, "SIGNER", message_id)
            except (OSError, HTTPException) as error:
                return number, repr(error)
            if answer.status != 200:
                return number, f"{answer.status} {answer.body[:300]!r}"
            receipt = verified(answer, self._us)
            if b"automatic-action/MDN-sent-automatically; processed\r\n" not in receipt:
                return number, receipt.decode("latin-1")[:1000]
        return len(batch), ""

    def acknowledgements(self) -> dict[str, bytes]:
        """Those that were posted to us."""
        return dict(self._came.values())

    def _answer(self, came: Said) -> Said:
        folder = self._folder / f"opened-{next(self._numbers)}"
        outcome = as2_receipts.opened(came, self._us, self._them, folder)
        path = Path(getattr(outcome, "path", ""))
        known = getattr(outcome, "filename", ""), path.read_bytes() if path.is_file() else b""
        if self._came.setdefault(came.get("Message-ID"), known) != known or not all(known):
            self.altered.append(f"{came.get('Message-ID')}: {outcome!r}"[:500])
        mdn = as2_receipts.receipt(came, outcome, self._them)
        return Said(200, mdn.headers, mdn.body)


class FolderRoute:
    """A program on the same machine, which renames files into a folder and waits until they go."""

    partner = "mover"

    def __init__(self, gateway: GatewayProcess, folder: Path) -> None:
        self._inbox, self._out = folder / "inbox", folder / "out"
        for each in (self._inbox, self._out):
            each.mkdir(parents=True)
        _append(
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

    def acknowledgements(self) -> dict[str, bytes]:
        """What lies in the other folder."""
        return _files(self._out)


class RemoteRoute:
    """A server of the partner's, where the gateway fetches files and leaves reports."""

    partner = "host"

    def __init__(self, gateway: GatewayProcess, folder: Path) -> None:
        folder.mkdir()
        self.server = Sshd(folder)
        self.server.start()
        remote = self.server.remote()
        _append(
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

    def acknowledgements(self) -> dict[str, bytes]:
        """What was left there."""
        return _files(self.server.home / "in")


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


def _append(gateway: GatewayProcess, partner: str, table: str) -> None:
    """Give a partner another channel, and only that one to be answered by."""
    file = gateway.folder / "partners" / f"{partner}.toml"
    file.write_text(file.read_text().partition("[sftp]\n")[0] + table)
