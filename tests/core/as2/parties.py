"""Two companies with keys, and what they send each other."""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from gateway.core.as2 import build_mdn, mdn_text, open_message, pack, read_request
from gateway.core.as2.cms import Identity
from gateway.core.as2.headers import As2Request
from gateway.model.as2 import (
    As2Limits,
    As2Receive,
    As2Send,
    Cipher,
    Digest,
    Headers,
    Mdn,
    MdnMode,
    Opened,
    Packed,
    Refused,
    SignatureScheme,
)

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
XML = b"<Invoice>\r\n  <ID>FA-1</ID>\r\n</Invoice>\r\n"

LAX = As2Receive(
    require_signature=False,
    require_encryption=False,
    digests=tuple(Digest),
    ciphers=tuple(Cipher),
)
"""Anything is taken: for tests about the form of messages."""


@functools.cache
def party(name: str, *, days: int = 30) -> Identity:
    """A company's key and certificate, the same in the whole run."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=365))
        .not_valid_after(NOW + dt.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return Identity(certificate, key)


def pem(identity: Identity) -> bytes:
    """Certificate and key as the openssl command takes them."""
    return identity.certificate.public_bytes(
        serialization.Encoding.PEM
    ) + identity.private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def folder(path: Path) -> Path:
    """A new empty folder."""
    for number in range(10_000):
        made = path / f"folder-{number}"
        if not made.exists():
            made.mkdir()
            return made
    raise AssertionError("too many folders")


def header_fields(content_type: str, **more: str) -> Headers:
    """What a request has to say, and `more`: `Content_Transfer_Encoding="base64"`."""
    return (
        ("AS2-Version", "1.2"),
        ("AS2-From", "supplier"),
        ("AS2-To", "gateway"),
        ("Message-ID", "<1@supplier.example>"),
        ("Content-Type", content_type),
        *((name.replace("_", "-"), value) for name, value in more.items()),
    )


SYNC = {
    "Disposition_Notification_To": "supplier",
    "Disposition_Notification_Options": "signed-receipt-protocol=optional, pkcs7-signature; "
    "signed-receipt-micalg=optional, sha-256",
}
"""Fields that ask for a signed receipt."""


def packed(tmp_path: Path, send: As2Send, payload: bytes = XML, **changes: Any) -> Packed:
    """A message from the supplier to the gateway."""
    source = folder(tmp_path) / "invoice.xml"
    source.write_bytes(payload)
    arguments: dict[str, Any] = {
        "filename": "invoice.xml",
        "content_type": "application/xml",
        "message_id": "<1@supplier.example>",
        "as2_from": "supplier",
        "as2_to": "gateway",
        "url_for_async_mdn": "https://supplier.example/mdn" if send.mdn is MdnMode.ASYNC else None,
        "send": send,
        "identity": party("supplier"),
        "recipient_certificates": [party("gateway").certificate],
        "now": NOW,
    } | changes
    return pack(source, folder(tmp_path), **arguments)


def opened(
    tmp_path: Path,
    headers: Headers,
    body: bytes | Path,
    *,
    policy: As2Receive = LAX,
    limits: As2Limits | None = None,
) -> Opened | Refused:
    """The message as the gateway takes it; a refusal must leave nothing behind."""
    if isinstance(body, bytes):
        path = folder(tmp_path) / "body"
        path.write_bytes(body)
    else:
        path = body
    into = folder(tmp_path)
    outcome = open_message(
        headers,
        path,
        into,
        identities=[party("gateway")],
        certificates=[party("supplier").certificate],
        policy=policy,
        limits=limits or As2Limits(),
        on=NOW,
    )
    left = [each.name for each in into.iterdir()]
    assert left == (["payload"] if isinstance(outcome, Opened) else [])
    assert path.exists()
    if isinstance(outcome, Refused):
        assert "unforeseen" not in outcome.why
    return outcome


def taken(tmp_path: Path, headers: Headers, body: bytes | Path, **options: Any) -> Opened:
    """The message, which must be good."""
    outcome = opened(tmp_path, headers, body, **options)
    assert isinstance(outcome, Opened), outcome
    return outcome


def refused(tmp_path: Path, headers: Headers, body: bytes | Path, **options: Any) -> Refused:
    """Why the message is not taken, which must be so."""
    outcome = opened(tmp_path, headers, body, **options)
    assert isinstance(outcome, Refused), outcome
    return outcome


def request_of(headers: Headers) -> As2Request:
    """The request, which must be good."""
    request = read_request(headers)
    assert isinstance(request, As2Request), request
    return request


def receipt(headers: Headers, outcome: Opened | Refused, **changes: Any) -> Mdn:
    """The gateway's receipt for a message."""
    arguments: dict[str, Any] = {
        "identity": party("gateway"),
        "scheme": SignatureScheme.PKCS1,
        "now": NOW,
        "message_id": "<mdn-1@gateway.example>",
        "reporting_ua": "edi-gateway",
        "text": mdn_text(outcome),
    } | changes
    return build_mdn(request_of(headers), outcome, **arguments)
