"""What a partner logs in with: the public keys and the password hash of a partner file.

Nothing here repeats what it was given. Somebody who pastes a private key or a clear password
where a public key or a hash belongs must not find it again in a terminal, a log or a ticket.
"""

from __future__ import annotations

import re

import bcrypt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from gateway.config.strict import Complaint
from gateway.errors import ConfigurationError

KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
"""Public-key types the SFTP server can verify (RFC 8709, RFC 5656, RFC 4253 §6.6)."""

MIN_RSA_BITS = 2048
MIN_COST = 10
MAX_COST = 16
"""bcrypt doubles its work with each step of cost: at 16 one login already takes seconds."""
NEW_COST = 12
MIN_PASSWORD_LENGTH = 12
MAX_PASSWORD_BYTES = 72
"""bcrypt reads no further than this."""

_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_MAKE_KEY = "Paste one line of the partner's .pub file, as ssh-keygen -t ed25519 writes it."
_MAKE_HASH = "Put in what `edi-gateway check --hash-password` prints."


def public_key_complaint(line: str) -> Complaint | None:
    """What is wrong with one `authorized_keys` line, if anything."""
    if "PRIVATE KEY" in line:
        return Complaint(
            "This is a private key; it is compromised now that it lies in a file of yours.",
            "Remove it, tell the partner to make a new pair, and paste its .pub line here.",
        )
    if len(line.strip().splitlines()) != 1:
        return Complaint("Not one line: each element holds exactly one public key.", _MAKE_KEY)
    words = line.split()
    if words[0] not in KEY_TYPES:
        return Complaint(
            "The line does not begin with a key type the server knows; options in front of the "
            "key, certificates, DSA and hardware (sk-) keys are not supported.",
            f"{_MAKE_KEY} Known types: {', '.join(KEY_TYPES)}.",
        )
    try:
        key = load_ssh_public_key(line.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        return Complaint("The public key cannot be read: cut short, or altered.", _MAKE_KEY)
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        return Complaint(
            f"An RSA key of {key.key_size} bits is too weak.",
            f"Ask the partner for an ed25519 key, or RSA of {MIN_RSA_BITS} bits or more.",
        )
    return None


def password_hash_complaint(value: str) -> Complaint | None:
    """What is wrong with a `password_hash`, if anything."""
    found = _BCRYPT.fullmatch(value)
    if found is None:
        return Complaint(
            "This is no bcrypt hash (it is not shown, for it may be a clear password; if it is "
            "one, consider it known).",
            _MAKE_HASH,
        )
    cost = int(found[1])
    if cost < MIN_COST:
        return Complaint(f"bcrypt cost {cost} is too low: at least {MIN_COST}.", _MAKE_HASH)
    if cost > MAX_COST:
        return Complaint(
            f"bcrypt cost {cost} would block a login for long: at most {MAX_COST}.", _MAKE_HASH
        )
    return None


def hash_password(password: str) -> str:
    """The bcrypt hash to put into a partner file.

    Raises `ConfigurationError` for a password that is too short, or longer than bcrypt reads.
    """
    if len(password) < MIN_PASSWORD_LENGTH:
        raise ConfigurationError(
            f"The password is shorter than {MIN_PASSWORD_LENGTH} characters.",
            remedy="Choose a longer one; nobody has to type it often.",
        )
    encoded = password.encode()
    if len(encoded) > MAX_PASSWORD_BYTES or b"\0" in encoded:
        raise ConfigurationError(
            f"bcrypt takes at most {MAX_PASSWORD_BYTES} bytes, none of them zero.",
            remedy="Choose a shorter one.",
        )
    return bcrypt.hashpw(encoded, bcrypt.gensalt(NEW_COST)).decode()
