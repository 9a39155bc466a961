"""A gateway whose partners and certificates change while it runs, and what plays its partners."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
import re
import ssl
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from pathlib import Path
from subprocess import CompletedProcess

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.core.as2 import As2Request, build_mdn, mdn_text, open_message, read_request
from gateway.core.as2.cms import Identity, fingerprint
from gateway.model.as2 import As2Limits, As2Receive, Opened, Refused, SignatureScheme
from gateway.samples import sample_bytes
from tests.as2_partner import Keys, Listener, Said, encrypted, part, post, signed, verified
from tests.broker import free_port
from tests.config.certificates import certificate, key_pem, pem
from tests.gateway_process import GatewayProcess

SECONDS = 60.0
INVOICE = sample_bytes("ubl-invoice.xml")
_numbers = itertools.count(1)


class Dated(Keys):
    """A key and a certificate that is valid from so many days after today to so many."""

    def __init__(self, folder: Path, name: str, days: tuple[int, int]) -> None:
        self.name = name
        self.key, self.certificate = folder / f"{name}.key", folder / f"{name}.crt"
        self.key.write_bytes(key_pem(name))
        self.certificate.write_bytes(pem(certificate(name, days=days)))

    @property
    def identity(self) -> Identity:
        """Both, as the gateway's own CMS takes them."""
        key = load_pem_private_key(self.key.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return Identity(x509.load_pem_x509_certificate(self.certificate.read_bytes()), key)


class RollingGateway:
    """`us` are our keys by name: old, new; each newer than the one before, all valid today.

    `partner` writes a partner's file, `use` names our certificates; `reload` makes it count.
    """

    def __init__(self, folder: Path, *, settings: str = "", processes: int = 1) -> None:
        self.folder = folder
        self.listener = Listener()
        self.http_port = free_port()
        self._more = settings
        self._processes = processes
        self.gateway = GatewayProcess(folder / "gateway", judges=1, sftp_processes=1)
        self._base = self.gateway.config.read_text()
        self.certificates = self.gateway.folder / "certificates"
        self.certificates.mkdir()
        self.us = {
            name: Dated(folder, f"us-{name}", days)
            for name, days in (("old", (-200, 20)), ("new", (-2, 300)))
        }
        self.them = Dated(folder, "them", (-100, 200))
        self.put(self.them)
        self.use("old")

    # ---- what an operator does

    def put(self, keys: Dated) -> str:
        """A partner's certificate in the folder of certificates; its name there."""
        (self.certificates / keys.certificate.name).write_bytes(keys.certificate.read_bytes())
        return keys.certificate.name

    def use(self, *names: str, more: str = "") -> None:
        """These are our certificates."""
        for name in names:
            file = self.certificates / f"us-{name}.pem"
            file.write_bytes(self.us[name].pem())
            file.chmod(0o600)
        listed = ", ".join(f'"us-{name}.pem"' for name in names)
        self.gateway.config.write_text(
            f"{self._base}\n[http]\nenabled = true\nport = {self.http_port}\n"
            f'[as2]\nid = "HUB"\nidentities = [{listed}]\nprocesses = {self._processes}\n'
            "[outbox]\npoll_seconds = 0.2\nretry_min_seconds = 0.1\nretry_max_seconds = 0.3\n"
            f"{self._more}{more}"
        )

    def partner(
        self,
        name: str,
        *certificates: Dated,
        keys: str = "",
        tables: str = "",
        enabled: bool = True,
    ) -> Path:
        """The file of a partner who speaks AS2; `keys` of its [as2], and other `tables`."""
        listed = ", ".join(f'"{self.put(each)}"' for each in certificates or (self.them,))
        file = self.gateway.folder / "partners" / f"{name}.toml"
        file.write_text(
            f'name = "{name}"\nenabled = {str(enabled).lower()}\nflows = ["ctc-fr-invoice"]\n'
            f'[as2]\nid = "{name.upper()}"\ncertificates = [{listed}]\n{keys}\n{tables}'
        )
        return file

    def reload(self) -> CompletedProcess[str]:
        """`edi-gateway reload`, whatever comes of it."""
        return self.gateway.command("reload")

    def reloaded(self) -> str:
        """What `edi-gateway reload` says; it must succeed."""
        done = self.reload()
        assert done.returncode == 0, done.stderr
        return done.stdout

    # ---- what partners do

    def send(
        self, who: str, signer: Dated, recipient: str, tls: ssl.SSLContext | None = None
    ) -> tuple[str, Said]:
        """A message: its Message-ID, and the answer."""
        message_id = a_message_id(who)
        body = encrypted(signed(part(an_invoice()), signer), self.us[recipient])
        return message_id, post(self.http_port, body, who.upper(), message_id, tls)

    def disposition(self, answer: Said, by: str) -> str:
        """What the receipt says, which must be signed by this one of ours."""
        assert answer.status == 200, answer
        report = verified(answer, self.us[by]).decode()
        found = re.search(r"(?im)^Disposition: *(.*?)\r?$", report)
        assert found, report
        return found[1].partition("; ")[2]

    def upload(self, token: str, name: str) -> int:
        """Status of `POST /v1/interchanges`."""
        connection = HTTPConnection("127.0.0.1", self.http_port, timeout=30)
        try:
            headers = {
                "Authorization": f"Bearer {token}",
                "Content-Disposition": f'attachment; filename="{name}"',
                "Content-Type": "application/xml",
            }
            connection.request("POST", "/v1/interchanges", an_invoice(), headers)
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    # ---- what can be seen

    def workers(self) -> set[int]:
        """The crypto workers."""
        daemon = self.gateway.pid
        children = Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
        return {int(each) for each in children if b"crypto_worker" in _command(int(each))}

    def logged(self, event: str) -> list[dict[str, object]]:
        """The log's lines of one event."""
        lines = self.gateway.log_file.read_text(errors="replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in found if each.get("event") == event]

    def interchanges(self, partner: str) -> list[dict[str, object]]:
        """What came from a partner."""
        done = self.gateway.command(
            "interchanges", "--partner", partner, "--limit", "10000", "--json"
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def close(self) -> None:
        """Everything ends."""
        self.gateway.ensure_gone()
        self.listener.close()


class Receiving:
    """A partner that takes reports: who signed each, and for whom it was encrypted."""

    def __init__(
        self,
        rolling: RollingGateway,
        path: str,
        *keys: Dated,
        listener: Listener | None = None,
    ) -> None:
        self._rolling = rolling
        self._listener = listener or rolling.listener
        self._path = path
        self._keys = keys
        self._count = 0
        self._listener.answers[path] = self._answer

    def next(self) -> tuple[str, str]:
        """The next report: the names of our certificate and of the partner's."""
        self._count += 1
        came = self._listener.wait(self._path, self._count)[self._count - 1]
        opened = self._open(came)
        assert isinstance(opened, Opened), opened
        ours = {fingerprint(each.identity.certificate): n for n, each in self._rolling.us.items()}
        theirs = {fingerprint(each.identity.certificate): each.name for each in self._keys}
        security = opened.security
        return ours[security.signer or ""], theirs[security.decrypted_with or ""]

    def _open(self, came: Said) -> Opened | Refused:
        folder = self._rolling.folder / f"opened-{next(_numbers)}"
        folder.mkdir()
        (folder / "body").write_bytes(came.body)
        return open_message(
            came.headers,
            folder / "body",
            folder,
            identities=[each.identity for each in self._keys],
            certificates=[each.identity.certificate for each in self._rolling.us.values()],
            policy=As2Receive(),
            limits=As2Limits(),
            on=_now(),
        )

    def _answer(self, came: Said) -> Said:
        request = read_request(came.headers)
        assert isinstance(request, As2Request)
        outcome = self._open(came)
        mdn = build_mdn(
            request,
            outcome,
            identity=self._keys[0].identity,
            scheme=SignatureScheme.PKCS1,
            now=_now(),
            message_id=a_message_id("receipts"),
            reporting_ua="test",
            text=mdn_text(outcome),
        )
        return Said(200, mdn.headers, mdn.body)


def an_invoice() -> bytes:
    """The sample, with other bytes each time."""
    return INVOICE + b"\n<!-- %d -->\n" % next(_numbers)


def a_message_id(who: str) -> str:
    """One that was not used before."""
    return f"<{next(_numbers)}@{who}.example>"


def token_table(token: str) -> str:
    """The table of a partner who shows this token."""
    return f'[http]\ntoken_sha256 = ["{hashlib.sha256(token.encode()).hexdigest()}"]\n'


def until(holds: Callable[[], object], otherwise: str) -> None:
    """Wait, bounded."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def lines_about(said: str, words: Sequence[str]) -> list[str]:
    """The lines that have every one of these words."""
    return [line for line in said.splitlines() if all(word in line for word in words)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
