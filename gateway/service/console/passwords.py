"""Passwords of people: Argon2id (RFC 9106), and what is asked of a new one. Everything blocks."""

from __future__ import annotations

import functools
import hashlib
import secrets
from typing import Final

import argon2

from gateway.errors import ConfigurationError

MIN_LETTERS: Final = 12
MAX_BYTES: Final = 1000

_hasher: Final = argon2.PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)
"""64 MiB and one thread: a tenth of a second or a few, and never more than one core of two."""


def hashed(password: str) -> str:
    """What is kept of it, with its parameters and salt."""
    return _hasher.hash(password)


def matches(kept: str, password: str) -> bool:
    """Whether this is the password that `kept` was made of."""
    try:
        return _hasher.verify(kept, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


@functools.cache
def nobodys() -> str:
    """Compared with when there is no such user, so that the time it takes does not tell."""
    return hashed(secrets.token_hex(16))


def proof_of(name: str, password: str) -> bytes:
    """Stands for exactly these, for `Guesses`."""
    return hashlib.sha256(f"{len(name)}:{name}{password}".encode("utf-8", "replace")).digest()


def check(password: str, name: str) -> None:
    """Raise `ConfigurationError` for one that is too easily guessed or too long to hash."""
    if len(password) < MIN_LETTERS:
        raise ConfigurationError(
            f"A password has at least {MIN_LETTERS} letters.",
            remedy="Take a few words that do not belong together; nothing else is asked of it.",
        )
    if len(password.encode("utf-8", "replace")) > MAX_BYTES:
        raise ConfigurationError(
            f"A password has at most {MAX_BYTES} bytes.", remedy="Take a shorter one."
        )
    if len(set(password)) < 5 or (name and name.lower() in password.lower()):
        raise ConfigurationError(
            "This password is easily guessed: it repeats a few letters, or holds the name.",
            remedy="Take a few words that do not belong together.",
        )
