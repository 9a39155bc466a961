"""Public keys and password hashes of partner files: what is refused, and that nothing leaks."""

from __future__ import annotations

import bcrypt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gateway.config import credentials
from gateway.config.credentials import (
    hash_password,
    password_hash_complaint,
    public_key_complaint,
)
from gateway.errors import ConfigurationError


def line_of(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """The .pub line of a key pair."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode()
    )


@pytest.mark.parametrize(
    "line",
    [
        line_of(ed25519.Ed25519PrivateKey.generate()),
        line_of(ed25519.Ed25519PrivateKey.generate()) + " somebody at example.com\n",
        line_of(ec.generate_private_key(ec.SECP256R1())),
        line_of(ec.generate_private_key(ec.SECP521R1())),
        line_of(rsa.generate_private_key(65537, 2048)),
    ],
    ids=["ed25519", "with a comment", "P-256", "P-521", "RSA"],
)
def test_usable_keys_pass(line: str) -> None:
    """Every type the server can verify, with or without a comment."""
    assert public_key_complaint(line) is None


def test_unusable_keys_are_refused() -> None:
    """Cut short, altered, with options, two in one, weak, unknown or empty: each with a remedy."""
    good = line_of(ed25519.Ed25519PrivateKey.generate())
    kind, body = good.split()
    for line in (
        "",
        "   ",
        kind,
        good[:-10],
        f"{kind} AAAA",
        f"{kind} not-base64!",
        f'from="10.0.0.1" {good}',
        f"{good}\n{good}",
        f"ssh-dss {body}",
        f"ssh-rsa {body}",
        f"sk-ssh-ed25519@openssh.com {body}",
        line_of(rsa.generate_private_key(65537, 1024)),
    ):
        complaint = public_key_complaint(line)
        assert complaint is not None, line
        assert complaint.remedy


def test_a_private_key_is_refused_and_not_repeated() -> None:
    """Whoever pastes the wrong half hears that it is compromised, and never sees it again."""
    pem = (
        ed25519.Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        .decode()
    )
    complaint = public_key_complaint(pem)
    assert complaint is not None
    assert "compromised" in complaint.what
    assert pem.splitlines()[1] not in str(complaint)


def test_a_bcrypt_hash_passes() -> None:
    """As python-bcrypt ($2b$) and htpasswd ($2y$) write it."""
    made = bcrypt.hashpw(b"x", bcrypt.gensalt(10)).decode()
    assert password_hash_complaint(made) is None
    assert password_hash_complaint(made.replace("$2b$", "$2y$")) is None


@pytest.mark.parametrize(
    "value",
    ["", "hunter2-in-clear", "$6$salt$" + "a" * 86, "$2b$12$short", "$argon2id$v=19$m=65536$x"],
)
def test_anything_else_is_refused_without_being_shown(value: str) -> None:
    """A clear password in place of a hash is not echoed."""
    complaint = password_hash_complaint(value)
    assert complaint is not None
    assert not value or value not in " ".join(complaint)
    assert "--hash-password" in complaint.remedy


@pytest.mark.parametrize("cost", ["04", "09", "17", "31"])
def test_the_cost_stays_within_bounds(cost: str) -> None:
    """Too cheap to be safe, or so dear that one login blocks for minutes."""
    complaint = password_hash_complaint(f"$2b${cost}${'a' * 53}")
    assert complaint is not None
    assert cost.lstrip("0") in complaint.what


def test_hash_password_makes_what_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash passes our own check and verifies the password, of 72 bytes as well."""
    monkeypatch.setattr(credentials, "NEW_COST", credentials.MIN_COST)
    for password in ("correct horse battery", "é" * 36):
        made = hash_password(password)
        assert password_hash_complaint(made) is None
        assert bcrypt.checkpw(password.encode(), made.encode())


@pytest.mark.parametrize("password", ["", "hunter2", "a" * 73, "é" * 37, "twelve\0letters"])
def test_passwords_bcrypt_would_not_keep_are_refused(password: str) -> None:
    """Too short, or longer than the 72 bytes bcrypt reads; the message does not repeat them."""
    with pytest.raises(ConfigurationError) as caught:
        hash_password(password)
    assert not password or password not in str(caught.value)
    assert caught.value.remedy
