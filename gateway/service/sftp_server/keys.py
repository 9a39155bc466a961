"""Host keys, made at the first start and kept; partners' public keys in the form to compare.

Ed25519 for everybody, and ECDSA P-256 for the EDI clients that still lack it (older JSch, and
whatever runs in FIPS mode). No RSA host key: a client too old for both would ask for SHA-1.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from gateway.durable import make_folder, write_durably
from gateway.errors import ConfigurationError

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

KINDS: Final[Mapping[str, Callable[[], PrivateKey]]] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
}


def host_key_file(state: Path, kind: str) -> Path:
    """Where the private host key of this kind lies; OpenSSH format, as sshd names it."""
    return state / "keys" / f"ssh_host_{kind}_key"


def host_keys(state: Path) -> dict[str, str]:
    """Kind → private key in PEM. Missing ones are made, durably, before anybody sees them.

    The public half is written beside each, for partners' known_hosts.
    """
    make_folder(state / "keys")
    pems = {}
    for kind, make in KINDS.items():
        path = host_key_file(state, kind)
        if not path.exists():
            key = make()
            public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
            write_durably(path.with_name(path.name + ".pub"), public + b"\n", "key", mode=0o644)
            write_durably(path, pem, "key")
        pems[kind] = path.read_text()
    return pems


def authorized_key(line: str, partner: str) -> bytes:
    """The key of one OpenSSH public-key line in SSH wire form. Raises `ConfigurationError`."""
    words = line.split()
    try:
        return base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise ConfigurationError(
            f"An authorized_keys line of partner {partner} is no OpenSSH public key.",
            remedy="Paste one line of the partner's .pub file, as ssh-keygen writes it.",
        ) from error
