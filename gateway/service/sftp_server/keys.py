"""Host keys, made at the first start and kept; partners' public keys in the form to compare.

Ed25519 for everybody, and ECDSA P-256 for the EDI clients that still lack it (older JSch, and
whatever runs in FIPS mode). No RSA host key is made: a client too old for both would ask for SHA-1.
One that partners know from the site before may be brought in (`edi-gateway cutover`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from gateway.config.credentials import MIN_RSA_BITS
from gateway.durable import make_folder, write_durably
from gateway.errors import ConfigurationError

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

KINDS: Final[Mapping[str, Callable[[], PrivateKey]]] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
}

BROUGHT: Final = "rsa"
"""The kind that is shown only when it was brought in."""
CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})


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
            store_host_key(state, kind, make())
        pems[kind] = path.read_text()
    if (brought := host_key_file(state, BROUGHT)).exists():
        pems[BROUGHT] = brought.read_text()
    return pems


def kind_of(key: object) -> str | None:
    """The kind of a host key; None for one that the server cannot show."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return "ecdsa" if key.curve.name in CURVES else None
    if isinstance(key, rsa.RSAPrivateKey):
        return BROUGHT if key.key_size >= MIN_RSA_BITS else None
    return None


def store_host_key(state: Path, kind: str, key: PrivateKey) -> tuple[Path, Path]:
    """Write a host key durably, its public half first; where both are."""
    path = host_key_file(state, kind)
    public = path.with_name(path.name + ".pub")
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    write_durably(public, line + b"\n", "key", mode=0o644)
    write_durably(
        path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), "key"
    )
    return path, public


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
