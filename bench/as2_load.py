"""The other side of `bench.as2`: a partner with keys who packs messages and sends them fast."""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from bench.invoices import ubl_invoice
from gateway.core.as2 import pack, read_mdn
from gateway.core.as2.cms import Identity
from gateway.model.as2 import STRONG_DIGESTS, As2Send, Headers, MdnRead
from tests.gateway_process import GatewayProcess

CHECKED_EVERY = 20
"""Of so many receipts one has its signature verified; of the others, MIC and disposition."""


def identity(name: str) -> Identity:
    """A fresh 2048-bit key with its own certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=400))
        .sign(key, hashes.SHA256())
    )
    return Identity(certificate, key)


def pem(identity_: Identity, *, with_key: bool) -> bytes:
    """The certificate as PEM, after its key if asked for."""
    certificate = identity_.certificate.public_bytes(serialization.Encoding.PEM)
    if not with_key:
        return certificate
    return certificate + identity_.private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def introduce(gateway: GatewayProcess, hub: Identity, partner: Identity) -> None:
    """Make the two known to a gateway that is not started yet: as HUB, and as BENCH."""
    certificates = gateway.folder / "certificates"
    certificates.mkdir()
    own = certificates / "hub.pem"
    own.write_bytes(pem(hub, with_key=True))
    own.chmod(0o600)
    (certificates / "bench.pem").write_bytes(pem(partner, with_key=False))
    file = gateway.folder / "partners" / "acme.toml"
    file.write_text(file.read_text() + '[as2]\nid = "BENCH"\ncertificates = ["bench.pem"]\n')


class Ready(NamedTuple):
    """A message on disk."""

    headers: Headers
    path: Path
    message_id: str
    mic: str

    def request(self) -> bytes:
        """The whole request. Written so, it costs the measured machine as little as may be."""
        body = self.path.read_bytes()
        fields = "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        head = f"POST /as2 HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
        return head.encode() + body


def packed(folder: Path, count: int, ours: Identity, theirs: Identity) -> list[Ready]:
    """So many different invoices of about 20 kB, signed and encrypted, receipts asked for.

    Nothing is deleted: ext4 takes time to pass over inodes that were freed a minute ago, at every
    new file, and it would be the gateway's time.
    """
    made = []
    now = dt.datetime.now(dt.UTC)
    folder.mkdir(parents=True)
    source = folder / "invoice.xml"
    for number in range(count):
        into = folder / str(number)
        into.mkdir()
        source.write_bytes(ubl_invoice(f"FA-{number:06d}", lines=12))
        message_id = f"<{number}@bench>"
        message = pack(
            source,
            into,
            filename=f"FA-{number:06d}.xml",
            content_type="application/xml",
            message_id=message_id,
            as2_from="BENCH",
            as2_to="HUB",
            url_for_async_mdn=None,
            send=As2Send(),
            identity=ours,
            recipient_certificates=[theirs.certificate],
            now=now,
        )
        made.append(Ready(message.headers, Path(message.path), message_id, message.mic.value))
    return made


class Load:
    """Sends everything over `connections` connections, and counts who got a good receipt, when."""

    def __init__(self, port: int, messages: list[Ready], theirs: Identity) -> None:
        self._port = port
        self._messages = iter(messages)
        self._lock = threading.Lock()
        self._theirs = theirs
        self.answered: list[float] = []
        self.faults: list[str] = []
        self.seconds = 0.0

    def run(self, connections: int) -> None:
        """Send until nothing is left."""
        began = time.monotonic()
        with ThreadPoolExecutor(connections) as pool:
            for lane in [pool.submit(self._lane, began) for _ in range(connections)]:
                lane.result()
        self.seconds = time.monotonic() - began

    def _lane(self, began: float) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=60) as connection:
            while True:
                with self._lock:
                    message = next(self._messages, None)
                if message is None:
                    return
                connection.sendall(message.request())
                status, headers, receipt = _answer(connection)
                fault = self._fault(message, status, headers, receipt)
                with self._lock:
                    self.answered.append(time.monotonic() - began)
                    if fault:
                        self.faults.append(fault)

    def _fault(
        self, message: Ready, status: int, headers: list[tuple[str, str]], receipt: bytes
    ) -> str | None:
        if status != 200:
            return f"{message.message_id}: status {status}"
        if message.mic.encode() not in receipt or b"; processed\r\n" not in receipt:
            return f"{message.message_id}: no good receipt"
        if len(self.answered) % CHECKED_EVERY:
            return None
        read = read_mdn(
            tuple(headers),
            receipt,
            [self._theirs.certificate],
            require_signed=True,
            allowed=STRONG_DIGESTS,
            on=dt.datetime.now(dt.UTC),
        )
        good = isinstance(read, MdnRead) and read.processed and read.mic is not None
        return None if good else f"{message.message_id}: {read}"


def _answer(connection: socket.socket) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, header fields and body of one answer; the gateway always says its length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = [(name, value.strip()) for name, _, value in (each.partition(":") for each in lines)]
    length = int(next(value for name, value in fields if name.lower() == "content-length"))
    while len(body) < length:
        body += _more(connection)
    return int(first.split()[1]), fields, body


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 16)
    if not data:
        raise ConnectionError("the gateway closed the connection")
    return data
