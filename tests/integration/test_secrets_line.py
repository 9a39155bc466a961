"""No secret shows anywhere, and nothing of a gateway's state is for others to read.

One gateway has a marked secret in every place where one may stand, and trouble with each: a broker
that refuses the password, a server that does too, wrong logins, keys that are none, disks that
fail in every process. Then all that it wrote or says is searched.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import socket
import stat
import struct
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import bcrypt
import paramiko
import psutil
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from bench.invoices import ubl_invoice
from gateway.faults import Faults
from gateway.service.sftp_server.keys import host_key_file, host_keys
from tests import as2_partner
from tests.as2_partner import Keys, encrypted, part, signed
from tests.broker import free_port
from tests.gateway_process import GatewayProcess

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]

SECONDS = 60.0
KINDS = 4  # of processes: the daemon, its judge, its SFTP and its crypto process


def marked(where: str) -> str:
    """A secret of its own, which nothing else contains."""
    return f"xQ7-{where}-{hashlib.sha256(where.encode()).hexdigest()[:12]}"


BROKER, IDENTITY, REMOTE = marked("broker"), marked("identity"), marked("remote")
SFTP_RIGHT, SFTP_WRONG = marked("sftp-right"), marked("sftp-wrong")
TOKEN_RIGHT, TOKEN_WRONG = marked("token-right"), marked("token-wrong")
BAD_KEY, CLEAR_HASH = marked("bad-key"), marked("clear-hash")


class RefusingBroker:
    """Speaks AMQP as far as the login, and refuses it; `logins` is what it was shown."""

    def __init__(self) -> None:
        self.logins: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client, contextlib.suppress(OSError):
                    client.settimeout(10)
                    self._refuse(client)

    def _refuse(self, client: socket.socket) -> None:
        client.recv(8)
        start = struct.pack(">HHBBI", 10, 10, 0, 9, 0) + _long(b"PLAIN") + _long(b"en_US")
        client.sendall(_method(start))
        self.logins.append(client.recv(65536))
        words = b"ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN."
        client.sendall(
            _method(
                struct.pack(">HHHB", 10, 50, 403, len(words)) + words + struct.pack(">HH", 0, 0)
            )
        )
        client.recv(65536)


def _long(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _method(payload: bytes) -> bytes:
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"


class Line:
    """The gateway, and what it must not tell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = RefusingBroker()
        self.http, self.management = free_port(), free_port()
        self.us, self.them = Keys(folder, "us"), Keys(folder, "them")
        self.faults = Faults(folder / "faults")
        self.gateway = GatewayProcess(
            folder / "gateway",
            partners=("acme", "remote"),
            judges=1,
            sftp_processes=1,
            faults=folder / "faults",
            wrapper=("sh", "-c", 'umask 0; exec "$@"', "sh"),
            settings=f'[log]\nlevel = "debug"\n[rabbitmq]\nhost = "127.0.0.1"\n'
            f'port = {self.broker.port}\nusername = "edi"\npassword_file = "broker.secret"\n'
            "reconnect_min_seconds = 0.2\nreconnect_max_seconds = 1.0\n"
            f"[http]\nenabled = true\nport = {self.http}\n"
            f"[management]\nenabled = true\nport = {self.management}\n"
            '[as2]\nid = "HUB"\nidentities = ["us.pem"]\nprocesses = 1\n'
            'password_file = "identity.secret"\n',
        )
        self.home = self.gateway.folder
        self.hash = bcrypt.hashpw(SFTP_RIGHT.encode(), bcrypt.gensalt(10)).decode()
        self._put_secrets()

    def _put_secrets(self) -> None:
        for name, secret in (("broker", BROKER), ("identity", IDENTITY), ("remote", REMOTE)):
            self.secret_file(f"{name}.secret", secret + "\n")
        (self.home / "broker.secret").chmod(0o644)
        certificates = self.home / "certificates"
        certificates.mkdir()
        key = load_pem_private_key(self.us.pem(), None)
        sealed = key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(IDENTITY.encode())
        )
        plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        private = plain[450:480]  # of the exponent: what stands before is in the certificate too
        self.keys = [private, base64.b64encode(private), private.hex().encode()]
        self.keys.append(b"".join(sealed.splitlines()[1:-1])[200:240])
        ours = certificates / "us.pem"
        ours.touch(0o600)
        ours.write_bytes(self.us.certificate.read_bytes() + sealed)
        (certificates / "them.crt").write_bytes(self.them.certificate.read_bytes())
        token = hashlib.sha256(TOKEN_RIGHT.encode()).hexdigest()
        self.more(
            "acme",
            f'password_hash = "{self.hash}"\n'
            f'[http]\ntoken_sha256 = ["{token}"]\n[as2]\nid = "AS2"\ncertificates = ["them.crt"]\n',
        )
        # Our own SFTP server is the partner's, and does not know us.
        self.gateway.state.mkdir()
        host_keys(self.gateway.state)
        host_key = host_key_file(self.gateway.state, "ed25519").with_suffix(".pub").read_text()
        self.more(
            "remote",
            f'[sftp_remote]\nhost = "127.0.0.1"\nport = {self.gateway.port}\n'
            f'username = "nobody"\nhost_key = "{host_key.strip()}"\n'
            'password_file = "../remote.secret"\nfetch_from = "/out"\npoll_seconds = 1.0\n',
        )

    def secret_file(self, name: str, text: str) -> None:
        """One that only we may read."""
        file = self.home / name
        file.touch(0o600)
        file.write_text(text)

    def more(self, partner: str, text: str) -> None:
        """Write on in its file."""
        file = self.home / "partners" / f"{partner}.toml"
        file.write_text(file.read_text() + text)

    # ---- what goes on

    def password(self, given: str, source: str) -> bool:
        """Whether a login by SFTP succeeds; and a file is sent if so."""
        with socket.create_connection(
            ("127.0.0.1", self.gateway.port), 20, (source, 0)
        ) as connected:
            transport = paramiko.Transport(connected)
            try:
                transport.start_client(timeout=20)
                transport.auth_password("acme", given)
            except paramiko.AuthenticationException:
                return False
            else:
                sftp = paramiko.SFTPClient.from_transport(transport)
                assert sftp is not None
                with contextlib.suppress(OSError), sftp.open("in/by-sftp.xml", "w") as file:
                    file.write(ubl_invoice("SFTP-1", lines=1))
                return True
            finally:
                transport.close()

    def submit(self, token: str, name: str) -> int:
        """The status of a file sent over HTTP."""
        connection = HTTPConnection("127.0.0.1", self.http, timeout=30)
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {token}"}
            body = ubl_invoice(name, lines=1)
            connection.request("POST", f"/v1/interchanges?name={name}.xml", body, headers)
            return connection.getresponse().status

    def by_as2(self, number: int) -> int:
        """The status of a file sent by AS2."""
        payload = ubl_invoice(f"AS2-{number}", lines=1)
        body = encrypted(signed(part(payload, f"{number}.xml"), self.them), self.us)
        return as2_partner.post(self.http, body, "AS2", f"<{number}@as2.example>").status

    def processes(self) -> list[psutil.Process]:
        """The daemon and all its processes."""
        daemon = psutil.Process(self.gateway.pid)
        return [daemon, *daemon.children(recursive=True)]

    def until_whole(self) -> None:
        """Wait until one of each kind runs: what was killed is started again after a second."""
        deadline = time.monotonic() + SECONDS
        while len(commands := self.commands()) < KINDS:
            assert time.monotonic() < deadline, f"only {commands} in:\n{self.gateway.log_tail()}"
            time.sleep(0.1)

    def commands(self) -> set[str]:
        """What runs, each once."""
        found = set()
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                found.add(" ".join(process.cmdline()))
        return found - {""}

    def log(self) -> str:
        """What all of them wrote so far."""
        return self.gateway.log_file.read_text()

    def until_logged(self, word: str) -> None:
        """Wait for a line."""
        deadline = time.monotonic() + SECONDS
        while word not in self.log():
            assert time.monotonic() < deadline, f"no {word} in:\n{self.gateway.log_tail()}"
            time.sleep(0.1)

    def secrets(self) -> dict[str, bytes]:
        """Name → what must be found nowhere. Of keys: pieces, however they are written."""
        words = {
            name: value.encode()
            for name, value in globals().items()
            if name.isupper() and isinstance(value, str) and value.startswith("xQ7-")
        }
        words["hash"] = self.hash.encode()
        for number, key in enumerate(self.keys):
            words[f"key {number}"] = key
        private = host_key_file(self.gateway.state, "ed25519").read_bytes().splitlines()
        words["host key"] = private[-3][:40]
        return words

    def close(self) -> None:
        """End all of it."""
        self.gateway.ensure_gone()
        self.broker.close()


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A gateway that had every kind of trouble with its secrets, and still runs."""
    made = Line(tmp_path_factory.mktemp("secrets"))
    try:
        made.gateway.start()
        assert made.password(SFTP_RIGHT, "127.0.0.5")
        assert not made.password(SFTP_WRONG, "127.0.0.6")
        assert made.submit(TOKEN_RIGHT, "HTTP-1") == 202
        assert made.submit(TOKEN_WRONG, "HTTP-2") == 401
        assert made.by_as2(1) == 200
        for point in ("http.body", "as2.body", "as2.payload", "sftp.note", "journal.commit"):
            made.faults.arm(point, "before", "eio")
        made.password(SFTP_RIGHT, "127.0.0.5")
        made.submit(TOKEN_RIGHT, "HTTP-3")
        for number in (2, 3):
            made.by_as2(number)
        for process in made.processes()[1:]:
            process.kill()  # so that each says that it is gone, and another one starts
        made.until_logged('"sftp_process_died"')
        made.until_logged("nobody")
        made.until_whole()
        yield made
    finally:
        made.close()


def test_every_secret_was_used(line: Line) -> None:
    """Else it would prove nothing that they are found nowhere."""
    assert any(BROKER.encode() in login for login in line.broker.logins)
    said = line.log()
    assert "ACCESS_REFUSED" in said
    assert '"traceback"' in said
    assert "does not let" in said
    assert '"sftp_login_failed"' in said
    assert '"http_login_failed"' in said
    assert '"sftp_process_died"' in said


def _found(said: bytes, secrets: dict[str, bytes]) -> list[str]:
    plain = re.sub(rb"\s|\\\\n", b"", said)
    return [name for name, secret in secrets.items() if secret in said or secret in plain]


def test_no_secret_is_in_the_log(line: Line) -> None:
    """At its most talkative level, with all tracebacks, from every process."""
    assert _found(line.gateway.log_file.read_bytes(), line.secrets()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("show",),
        ("show", "--json"),
        ("status",),
        ("status", "--json"),
        ("queues",),
        ("queues", "--json"),
        ("interchanges", "--json"),
        ("check",),
        ("partner", "list", "--json"),
        ("partner", "show", "acme"),
        ("partner", "show", "acme", "--json"),
        ("partner", "show", "remote", "--json"),
        ("partner", "check", "remote"),
        ("cert", "list"),
        ("doctor",),
        ("reload",),
    ],
    ids=" ".join,
)
def test_no_command_tells_one(line: Line, words: tuple[str, ...]) -> None:
    """Whatever it ends with."""
    if words[0] == "show":
        listed = line.gateway.command("interchanges", "--json").stdout.splitlines()
        calls = [("show", json.loads(each)["id"], *words[1:]) for each in listed]
        assert len(calls) >= 3
    else:
        calls = [words]
    for call in calls:
        done = line.gateway.command(*call)
        assert done.stdout + done.stderr
        assert done.returncode in (0, 1), done.stderr
        assert _found((done.stdout + done.stderr).encode(), line.secrets()) == []


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("partners/acme.toml", "HASH", CLEAR_HASH),
        ("partners/remote.toml", 'password_file = "../remote.secret"', 'key_file = "../bad.key"'),
        ("gateway.toml", 'password_file = "identity.secret"', 'password_file = "broker.secret"'),
        ("partners/remote.toml", "fetch_from", f'password = "{BAD_KEY}"\nfetch_from'),
    ],
    ids=["a clear password", "a key that is none", "the wrong password", "an unknown setting"],
)
def test_no_fault_of_the_configuration_repeats_one(
    line: Line, file: str, before: str, after: str
) -> None:
    """Somebody puts a secret where none belongs; `check` says where, and not what."""
    line.secret_file("bad.key", f"-----BEGIN OPENSSH PRIVATE KEY-----\n{BAD_KEY}\n")
    target = line.home / file
    text = target.read_text()
    target.write_text(text.replace(line.hash if before == "HASH" else before, after))
    assert target.read_text() != text
    try:
        said = [line.gateway.command(*words) for words in (("partner", "list"), ("reload",))]
    finally:
        target.write_text(text)
    assert said[1].returncode == 2
    for done in said:
        assert _found((done.stdout + done.stderr).encode(), line.secrets()) == []
    assert _found(line.gateway.log_file.read_bytes(), line.secrets()) == []


def test_no_secret_is_in_the_metrics(line: Line) -> None:
    """Nor in what else the management listener says."""
    for page in ("metrics", "livez", "readyz"):
        url = f"http://127.0.0.1:{line.management}/{page}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            said = answer.read()
        assert said
        if page == "metrics":
            assert b'edi_gateway_logins_total{channel="sftp",outcome="failed"}' in said
        assert _found(said, line.secrets()) == []


def test_no_secret_is_in_the_state_directory(line: Line) -> None:
    """Journal, spool, reports, scratch: all but the host keys, which are there to be kept."""
    seen = 0
    for file in line.gateway.state.rglob("*"):
        if file.is_file() and file.parent.name != "keys":
            seen += 1
            assert _found(file.read_bytes(), line.secrets()) == [], file
    assert seen > 5


def test_no_secret_is_on_a_command_line_or_in_an_environment(line: Line) -> None:
    """Which other users, and other programs of ours, may read."""
    processes = line.processes()
    assert len(processes) >= KINDS
    for process in processes:
        shown = Path(f"/proc/{process.pid}")
        for name in ("cmdline", "environ"):
            assert _found((shown / name).read_bytes(), line.secrets()) == []


def test_nothing_of_the_state_is_for_others(line: Line) -> None:
    """Whatever umask we were started with: others may do nothing, the group may at most read."""
    modes = {
        path: stat.S_IMODE(path.lstat().st_mode)
        for path in line.gateway.state.rglob("*")
        if not path.is_symlink() and path.suffix != ".pub"  # which is there to be given away
    }
    assert len(modes) > 20
    assert {str(path): oct(mode) for path, mode in modes.items() if mode & 0o027} == {}
    keys = line.gateway.state / "keys"
    assert modes[keys] == 0o700
    assert {modes[each] for each in keys.iterdir() if not each.suffix} == {0o600}
    for folder in ("sftp", "scratch"):
        assert modes[line.gateway.state / folder] == 0o700


def test_every_process_has_a_umask_that_keeps_others_out(line: Line) -> None:
    """The daemon's, and so that of all it starts."""
    masks = {}
    for process in line.processes():
        status = Path(f"/proc/{process.pid}/status").read_text()
        found = re.search(r"^Umask:\s+(\d+)$", status, re.MULTILINE)
        assert found is not None
        masks[" ".join(process.cmdline())] = int(found[1], 8)
    assert len(masks) >= KINDS
    assert {name: oct(mask) for name, mask in masks.items() if mask & 0o027 != 0o027} == {}


def test_a_file_with_a_secret_that_is_open_to_all_is_told_of(line: Line) -> None:
    """Which, and what to do; `check` says the same."""
    said = json.loads(
        next(each for each in line.log().splitlines() if "configuration_notice" in each)
    )["notice"]
    assert "broker.secret is open to every user" in said
    assert f"chmod o= {line.home / 'broker.secret'}" in said
