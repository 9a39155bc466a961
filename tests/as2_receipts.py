"""Receipts of an AS2 partner: what the gateway sent is opened, and signed for."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.core.as2 import As2Request, build_mdn, mdn_text, open_message, read_request
from gateway.core.as2.cms import Identity
from gateway.model.as2 import As2Limits, As2Receive, Mdn, Opened, Refused, SignatureScheme
from tests.as2_partner import Keys, Said


def now() -> dt.datetime:
    """By the clock."""
    return dt.datetime.now(dt.UTC)


def identity(keys: Keys) -> Identity:
    """Certificate and key, as `open_message` takes them."""
    key = load_pem_private_key(keys.key.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return Identity(x509.load_pem_x509_certificate(keys.certificate.read_bytes()), key)


def opened(came: Said, us: Keys, them: Keys, folder: Path) -> Opened | Refused:
    """A message of the gateway's (`us`), opened by its partner (`them`) in a new folder."""
    folder.mkdir()
    (folder / "body").write_bytes(came.body)
    return open_message(
        came.headers,
        folder / "body",
        folder,
        identities=[identity(them)],
        certificates=[identity(us).certificate],
        policy=As2Receive(),
        limits=As2Limits(),
        on=now(),
    )


def receipt(came: Said, outcome: Opened | Refused, them: Keys, **changes: Any) -> Mdn:
    """The partner's receipt for a message; `changes` to make it a bad one."""
    request = read_request(came.headers)
    assert isinstance(request, As2Request)
    arguments: dict[str, Any] = {
        "identity": identity(them),
        "scheme": SignatureScheme.PKCS1,
        "now": now(),
        "message_id": f"<{uuid4()}@acme.example>",
        "reporting_ua": "test",
        "text": mdn_text(outcome),
    } | changes
    return build_mdn(arguments.pop("request", request), outcome, **arguments)
