"""Whether a password is right: looked at in a thread, so many at once, never on the reactor."""

from __future__ import annotations

from typing import Final

from twisted.internet import defer

from gateway.service.console import passwords
from gateway.service.console.sources import Sources
from gateway.service.journal import user_records
from gateway.service.journal.user_records import UserRow

HASHING: Final = 2
"""Passwords looked at at once: each takes 64 MB for a moment."""


class Proving:
    """Looks passwords up, and hashes new ones."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._turn = defer.DeferredSemaphore(HASHING)

    async def known(self, name: str) -> UserRow | None:
        """Who may log in by this name."""
        row: UserRow | None = await self._sources.reader.read(
            "login", lambda conn: user_records.user_named(conn, name)
        )
        return row

    async def right(self, row: UserRow | None, password: str) -> bool:
        """Whether this is theirs; it takes as long where there is nobody."""
        return bool(await self._turn.run(self._compare, row, password))

    async def hashed(self, password: str) -> str:
        """What is kept of a new one."""
        return str(await self._turn.run(self._hash, password))

    def _compare(self, row: UserRow | None, password: str) -> defer.Deferred[bool]:
        def look() -> bool:
            kept = passwords.nobodys() if row is None else row.password_hash
            return passwords.matches(kept, password) and row is not None

        async def looking() -> bool:
            return bool(await self._sources.in_thread(look))

        return defer.Deferred.fromCoroutine(looking())

    def _hash(self, password: str) -> defer.Deferred[str]:
        async def hashing() -> str:
            return str(await self._sources.in_thread(passwords.hashed, password))

        return defer.Deferred.fromCoroutine(hashing())
