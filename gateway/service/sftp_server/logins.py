"""Who may log in, by key or password, in an SFTP process; and how passwords are looked at.

Whether a password may be looked at at all is the daemon's to say, which hears of failures from all
processes (`gateway/service/guessing`).
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import bcrypt

from gateway.service.sftp_server.channel import Account

AT_ONCE = 2
MAX_LOGIN = 255
"""So much of a username is told to the daemon: a client may give one of any length."""
_UNKNOWN_HASH_TAIL = "." * 53


class _Known(NamedTuple):
    """Accounts by username, and a hash that takes as long as the slowest of theirs."""

    by_name: dict[str, Account]
    partners: frozenset[str]
    passwords: bool
    nobody: str


class Accounts:
    """Who may log in. Unknown usernames cost as long as known ones. Any thread may ask."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.replace(accounts)

    def replace(self, accounts: Sequence[Account]) -> None:
        """From now on it is these, also for whoever is logging in at this moment."""
        hashes = [each.password_hash for each in accounts if each.password_hash]
        cost = max((each[4:6] for each in hashes), default="12")
        # One assignment, so that no thread sees half of it.
        self._known = _Known(
            by_name={account.username: account for account in accounts},
            partners=frozenset(account.partner for account in accounts),
            passwords=bool(hashes),
            nobody=f"$2b${cost}${_UNKNOWN_HASH_TAIL}",
        )

    @property
    def passwords(self) -> bool:
        """Whether anybody has one."""
        return self._known.passwords

    @property
    def partners(self) -> frozenset[str]:
        """Whose accounts they are."""
        return self._known.partners

    def named(self, username: str) -> Account | None:
        """The account, once the username is proven."""
        return self._known.by_name.get(username)

    def key_fits(self, username: str, key: bytes) -> bool:
        """Whether `key` (SSH wire form) may log in as `username`; paramiko checks its signature."""
        account = self.named(username)
        fits = [hmac.compare_digest(key, each) for each in (account.keys if account else ())]
        return any(fits)

    def password_fits(self, username: str, password: str | bytes) -> bool:
        """Whether the password is right."""
        known = self._known
        account = known.by_name.get(username)
        real = account.password_hash if account else None
        given = password.encode() if isinstance(password, str) else password
        # bcrypt reads 72 bytes and refuses more; such a password cannot be anybody's.
        usable = len(given) <= 72 and b"\0" not in given
        fits = bcrypt.checkpw(given if usable else b"-", (real or known.nobody).encode())
        return fits and usable and real is not None


class Guard(Protocol):
    """Who is asked before a password is looked at, and told how it was (`receipts.Daemon`)."""

    def may_log_in(self, address: str, login: str, proof: bytes) -> float | None:
        """After how many seconds; None: not at all."""
        ...

    def tried(self, address: str, login: str, proof: bytes, right: bool) -> None:
        """It was right or wrong."""
        ...


class Passwords:
    """Looks at passwords, few at a time. Any thread may ask, and may have to wait.

    bcrypt is meant to cost time, and more guessers must not mean fewer invoices.
    `key` makes a proof of login and password: what the daemon can compare, and nobody read.
    `patience_seconds` is what a client has for its whole login; a wait stays well below.
    """

    def __init__(
        self, accounts: Accounts, guard: Guard, *, key: bytes, patience_seconds: float
    ) -> None:
        self._accounts = accounts
        self._guard = guard
        self._key = key
        self._longest = patience_seconds / 3
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def fit(self, address: str, username: str, password: str | bytes) -> bool:
        """Whether this is the password, and may be looked at."""
        if not self._accounts.passwords:
            return False
        proof = self._proof(username, password)
        login = username[:MAX_LOGIN].encode("utf-8", "backslashreplace").decode()
        delay = self._guard.may_log_in(address, login, proof)
        if delay is None:
            return False
        if delay:
            time.sleep(min(delay, self._longest))
        with self._places:
            # Asked again: those before may have been wrong, and many may have come at once.
            if self._guard.may_log_in(address, login, proof) is None:
                return False
            fits = self._accounts.password_fits(username, password)
            self._guard.tried(address, login, proof, fits)
        return fits

    def _proof(self, username: str, password: str | bytes) -> bytes:
        given = password.encode() if isinstance(password, str) else password
        name = username.encode("utf-8", "backslashreplace")
        return hmac.digest(self._key, hashlib.sha256(name).digest() + given, "sha256")
