"""Every kind of acknowledgement by every channel, on one gateway with a partner for each.

Each partner sends a batch of an invoice that is accepted and one that is not, by its own channel,
and wants everything there is. What it gets must be what RabbitMQ got, byte for byte.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from lxml import etree

from bench.invoices import ubl_invoice
from tests import as2_partner
from tests.as2_partner import Keys, Listener, Said, encrypted, openssl, part, signed
from tests.broker import free_port
from tests.gateway_process import GatewayProcess
from tests.integration.test_status_line import LEGAL, batch, said
from tests.service.sshd import Sshd, needs_sshd

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300), needs_sshd]

Files = dict[str, bytes]
CHANNELS = ("sftp", "remote", "as2", "http", "folder")
TOKEN = "a-token"
EVERYTHING = 'html = "always"\njson = true\ncsv = true\ncdar = "single"'


def is_xml(body: bytes, partner: str) -> bool:
    """The report, which says what became of the batch."""
    return etree.fromstring(body).findtext(".//{*}State/{*}Code") == "IN_INTEGRE_PARTIEL"


def is_json(body: bytes, partner: str) -> bool:
    """The same for programs."""
    return bool(json.loads(body)["format"] == "urn:edi-gateway:interchange-report:1")


def is_html(body: bytes, partner: str) -> bool:
    """The same for people."""
    return body.lower().startswith(b"<!doctype html") and f"{partner}-2".encode() in body


def is_csv(body: bytes, partner: str) -> bool:
    """The same for spreadsheets: a row that names the faulty invoice."""
    return f"{partner}-2".encode() in body


def is_deposited(body: bytes, partner: str) -> bool:
    """200, valid by the official artefacts."""
    return dict(said({"CDV_": body})) == {(f"{partner}-1", "200", ()): 1}


def is_rejected(body: bytes, partner: str) -> bool:
    """213 with its reason, valid by the official artefacts."""
    return dict(said({"CDV_": body})) == {(f"{partner}-2", "213", ("MONTANTTOTAL_ERR",)): 1}


KINDS: dict[str, Callable[[bytes, str], bool]] = {
    ".report.xml": is_xml,
    ".report.json": is_json,
    ".report.html": is_html,
    ".report.csv": is_csv,
    "CDV_200_": is_deposited,
    "CDV_213_": is_rejected,
}
"""What the name of each has in it, and what shows that it is one."""


class Line:
    """The gateway, the servers of its partners, and what each of these did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.us, self.them = Keys(folder, "us"), Keys(folder, "them")
        self.listener = Listener()
        (folder / "theirs").mkdir()
        self.sshd = Sshd(folder / "theirs")
        self.gateway = GatewayProcess(
            folder / "gateway",
            partners=CHANNELS,
            judges=1,
            sftp_processes=1,
            acknowledgements=EVERYTHING,
            settings=f'{LEGAL}[http]\nenabled = true\nport = {self.port}\n[as2]\nid = "HUB"\n'
            'identities = ["us.pem"]\nprocesses = 1\n[outbox]\npoll_seconds = 0.2\n',
        )
        certificates = self.gateway.folder / "certificates"
        certificates.mkdir()
        (certificates / "us.pem").write_bytes(self.us.pem())
        (certificates / "us.pem").chmod(0o600)
        (certificates / "them.crt").write_bytes(self.them.certificate.read_bytes())
        for name in ("inbox", "out"):
            (folder / name).mkdir()
        self._agree()

    def start(self) -> None:
        """Everybody sends."""
        self.sshd.start()
        self.gateway.start()
        for channel in CHANNELS:
            getattr(self, f"_send_by_{channel}")(self.payload(channel))

    def _agree(self) -> None:
        remote = self.sshd.remote()
        sum_ = hashlib.sha256(TOKEN.encode()).hexdigest()
        tables = {
            "remote": f'[sftp_remote]\nhost = "{remote.host}"\nport = {remote.port}\n'
            f'username = "{remote.username}"\nhost_key = "{remote.host_key}"\n'
            f'key_file = "{remote.key_file}"\nfetch_from = "{remote.fetch_from}"\n'
            f'push_to = "{self.sshd.home / "in"}"\nstable_seconds = 0.2\npoll_seconds = 1.0\n',
            "as2": f'[as2]\nid = "AS2"\ncertificates = ["them.crt"]\n'
            f'url = "{self.listener.url("/reports")}"\n[as2.send]\nmdn = "none"\n',
            "http": f'[http]\ntoken_sha256 = ["{sum_}"]\n',
            "folder": f'[folder]\ninbox = "{self.folder / "inbox"}"\n'
            f'out = "{self.folder / "out"}"\nquiet_seconds = 0.2\n',
        }
        for name, text in tables.items():
            file = self.gateway.folder / "partners" / f"{name}.toml"
            file.write_text(file.read_text() + text)

    def payload(self, channel: str) -> bytes:
        """Two invoices; the second has a wrong total."""
        return batch(
            {
                "1.xml": ubl_invoice(f"{channel}-1", lines=2),
                "2.xml": ubl_invoice(f"{channel}-2", lines=2, fault="total"),
            }
        )

    def close(self) -> None:
        """End all of it."""
        self.gateway.ensure_gone()
        self.sshd.stop()
        self.listener.close()

    # ---- what each partner sends

    def _send_by_sftp(self, payload: bytes) -> None:
        file = self.folder / "batch.tar.gz"
        file.write_bytes(payload)
        done = self.gateway.sftp([f"put {file} in/batch.tar.gz"], partner="sftp")
        assert done.returncode == 0, done.stderr

    def _send_by_remote(self, payload: bytes) -> None:
        self.sshd.put("batch.tar.gz", payload)

    def _send_by_as2(self, payload: bytes) -> None:
        body = encrypted(signed(part(payload, "batch.tar.gz"), self.them), self.us)
        assert as2_partner.post(self.port, body, "AS2", "<1@as2.example>").status == 200

    def _send_by_http(self, payload: bytes) -> None:
        self.id = json.loads(self.ask("POST", "/v1/interchanges?name=batch.tar.gz", payload))["id"]

    def _send_by_folder(self, payload: bytes) -> None:
        (self.folder / "inbox" / "batch.tar.gz").write_bytes(payload)

    # ---- what each partner has by now

    def got_by_sftp(self) -> Files:
        """Out of its `out/`."""
        into = self.folder / "fetched"
        into.mkdir(exist_ok=True)
        done = self.gateway.sftp(["ls -1 out", f"get out/* {into}/"], partner="sftp")
        return _files(into) if done.returncode == 0 else {}

    def got_by_remote(self) -> Files:
        """On its own server."""
        return _files(self.sshd.home / "in")

    def got_by_as2(self) -> Files:
        """Posted to its URL, signed and encrypted."""
        return dict(map(self._opened, self.listener.at("/reports")))

    def got_by_http(self) -> Files:
        """All that the list of its acknowledgements names."""
        listed = json.loads(
            self.ask("GET", f"/v1/interchanges/{self.id}/acknowledgements?form=list")
        )
        assert listed["next"] is None
        return {
            each["filename"]: self.ask("GET", each["uri"]) for each in listed["acknowledgements"]
        }

    def got_by_folder(self) -> Files:
        """In the folder it looks into."""
        return _files(self.folder / "out")

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The body of an answer that is no refusal."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}"})
            response = connection.getresponse()
            answer = response.read()
            assert response.status < 300, answer
            return answer
        finally:
            connection.close()

    def _opened(self, came: Said) -> tuple[str, bytes]:
        opened = openssl(
            *("cms", "-decrypt", "-binary", "-inform", "DER"),
            *("-inkey", self.them.key, "-recip", self.them.certificate),
            data=came.body,
        )
        # OpenSSL's own reader of multipart/signed gives every line of the content a CRLF.
        signed_entity = email.message_from_bytes(opened, policy=email.policy.HTTP)
        _, inside, after = opened.split(f"--{signed_entity.get_boundary()}\r\n".encode())
        signature = email.message_from_bytes(after).get_payload(decode=True)
        assert isinstance(signature, bytes)
        content = self.folder / "content"
        content.write_bytes(inside.removesuffix(b"\r\n"))
        openssl(
            *("cms", "-verify", "-binary", "-inform", "DER", "-content", content),
            *("-purpose", "any", "-CAfile", self.us.certificate, "-out", "/dev/null"),
            data=signature,
        )
        head, _, body = content.read_bytes().partition(b"\r\n\r\n")
        return str(email.message_from_bytes(head).get_filename()), body

    def published(self) -> Files:
        """What RabbitMQ would have, by the names of the files."""
        found = {}
        folder = self.gateway.state / "publications" / "edi.acknowledgements"
        for file in folder.rglob("*.headers.json"):
            name = json.loads(file.read_bytes())["headers"].get("filename")
            ending = str(name).rpartition(".")[2]
            body = file.with_name(file.name.replace(".headers.json", f".{ending}"))
            if body.exists():  # it is written last
                found[str(name)] = body.read_bytes()
        return found


def _files(folder: Path) -> Files:
    """Those that are whole."""
    return {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if not file.name.startswith(".") and file.suffix != ".part"
    }


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One for all cases: everything is sent at its start."""
    line = Line(tmp_path_factory.mktemp("channels"))
    try:
        line.start()
        yield line
    finally:
        line.close()


def until(line: Line, condition: Callable[[], bool]) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, line.gateway.log_tail()
        time.sleep(0.2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channel", CHANNELS)
def test_each_kind_comes_by_each_channel(line: Line, channel: str, kind: str) -> None:
    """One file of that kind, what it should be, and the same as RabbitMQ got."""
    found: Files = {}

    def came() -> bool:
        got: Files = getattr(line, f"got_by_{channel}")()
        found.update((name, body) for name, body in got.items() if kind in name)
        return bool(found)

    until(line, came)
    ((name, body),) = found.items()
    assert KINDS[kind](body, channel), body
    until(line, lambda: name in line.published())
    assert line.published()[name] == body


@pytest.mark.parametrize("channel", CHANNELS)
def test_nothing_else_comes(line: Line, channel: str) -> None:
    """Six files each: four forms of the report, two statuses."""
    got = getattr(line, f"got_by_{channel}")
    until(line, lambda: len(got()) >= len(KINDS))
    assert len(got()) == len(KINDS)
