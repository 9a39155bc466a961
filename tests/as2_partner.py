"""An AS2 partner with OpenSSL and Python's own HTTP: nothing of the gateway makes its messages."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from gateway.model.as2 import Headers

ENVELOPED = "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"
OPTIONS = (
    "signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, sha-256"
)
TIMEOUT = 30.0


class Said(NamedTuple):
    """An answer, or a request: its status or path, its header fields, its body."""

    status: int
    headers: Headers
    body: bytes
    path: str = ""

    def get(self, name: str) -> str:
        """The value of a header field, "" without one."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


def openssl(*words: str | Path, data: bytes | None = None) -> bytes:
    """What the command printed; it must succeed."""
    done = subprocess.run(
        ["openssl", *map(str, words)], input=data, capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Keys:
    """A company's RSA key and certificate, in files."""

    def __init__(self, folder: Path, name: str) -> None:
        self.key, self.certificate = folder / f"{name}.key", folder / f"{name}.crt"
        openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj"),
            *(f"/CN={name}", "-keyout", self.key, "-out", self.certificate),
        )

    def pem(self) -> bytes:
        """Both, as `as2.identities` takes them."""
        return self.key.read_bytes() + self.certificate.read_bytes()


def part(payload: bytes, filename: str = "facture.xml") -> bytes:
    """The MIME entity around an invoice."""
    return (
        b"Content-Type: application/xml\r\nContent-Disposition: attachment; filename="
        + f'"{filename}"\r\n\r\n'.encode()
        + payload
    )


def signed(entity: bytes, signer: Keys) -> bytes:
    """The entity in a multipart/signed."""
    return openssl(
        *("cms", "-sign", "-binary", "-md", "sha256"),
        *("-signer", signer.certificate, "-inkey", signer.key),
        data=entity,
    )


def encrypted(entity: bytes, recipient: Keys) -> bytes:
    """The entity in enveloped-data, DER."""
    return openssl(
        "cms", "-encrypt", "-binary", "-aes256", "-outform", "DER", recipient.certificate,
        data=entity,
    )  # fmt: skip


def verified(answer: Said, signer: Keys) -> bytes:
    """What stands inside a signed receipt, once `openssl cms -verify` trusts it."""
    kind = answer.get("Content-Type")
    assert kind.startswith("multipart/signed"), answer
    return openssl(
        *("cms", "-verify", "-purpose", "any", "-CAfile", signer.certificate),
        data=f"MIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\n".encode() + answer.body,
    )


def fields_of(as2_from: str, message_id: str, **more: str | None) -> dict[str, str | None]:
    """The header fields of a message that asks for a signed receipt; `more`: others."""
    return {
        "AS2-Version": "1.2",
        "AS2-From": as2_from,
        "AS2-To": "HUB",
        "Message-ID": message_id,
        "Content-Type": ENVELOPED,
        "Disposition-Notification-To": "mdn@partner.example",
        "Disposition-Notification-Options": OPTIONS,
    } | {name.replace("_", "-"): value for name, value in more.items()}


def post(
    port: int,
    body: bytes,
    as2_from: str,
    message_id: str,
    tls: ssl.SSLContext | None = None,
    **more: str | None,
) -> Said:
    """Send a message and ask for a signed receipt in the answer; `more`: other header fields."""
    fields = fields_of(as2_from, message_id, **more)
    connection = (
        HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        if tls is None
        else HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT, context=tls)
    )
    try:
        headers = {name: value for name, value in fields.items() if value is not None}
        connection.request("POST", "/as2", body, headers)
        response = connection.getresponse()
        return Said(response.status, tuple(response.getheaders()), response.read())
    finally:
        connection.close()


Answering = Callable[[Said], Said | Iterator[bytes]]


def _nothing_to_say(_: Said) -> Said:
    return Said(200, (), b"")


class Listener:
    """The partner's web server. `answers` has a function for each path; `requests` what came."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._scheme = "http" if tls is None else "https"
        self.requests: list[Said] = []
        self.answers: dict[str, Answering] = {}
        self._changed = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            timeout = TIMEOUT
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", "0"))
                body = self.rfile.read(size)
                came = Said(0, tuple(self.headers.items()), body, self.path)
                answering: Answering = outer.answers.get(self.path, _nothing_to_say)
                # What is asserted in a test must see the request no later than its answer is out.
                answer = answering(came)
                with outer._changed:
                    outer.requests.append(came)
                    outer._changed.notify_all()
                if isinstance(answer, Said):
                    self.send_response(answer.status)
                    for name, value in answer.headers:
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(answer.body)))
                    self.end_headers()
                    with contextlib.suppress(OSError):  # whoever asked may be dead by now
                        self.wfile.write(answer.body)
                    return
                self.close_connection = True
                self.send_response(200)
                self.send_header("Connection", "close")
                self.end_headers()
                with contextlib.suppress(OSError):
                    for piece in answer:
                        self.wfile.write(piece)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        if tls is not None:  # a client that does not manage its handshake holds up nobody else
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def url(self, path: str) -> str:
        """The URL of a path here."""
        return f"{self._scheme}://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[Said]:
        """What came to this path."""
        with self._changed:
            return [each for each in self.requests if each.path == path]

    def wait(self, path: str, number: int = 1, seconds: float = 30.0) -> list[Said]:
        """What came to this path, once it is that many requests."""
        with self._changed:
            arrived = self._changed.wait_for(
                lambda: sum(each.path == path for each in self.requests) >= number, seconds
            )
        assert arrived, f"{len(self.at(path))} of {number} requests came to {path}"
        return self.at(path)

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
