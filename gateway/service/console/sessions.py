"""Who is logged in. In memory alone: a restart logs everybody out, and loses nothing else.

Of a session's token only the SHA-256 is kept. A session ends when nobody used it for a while, when
it is too old, when its owner logs out or gets another password, and when its owner is removed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Final

from gateway.config.settings import Console
from gateway.model.verdict import Language
from gateway.service.console.users import Role

MOST: Final = 2000
MOST_OF_ONE: Final = 20
"""Sessions of one login at once; a further one ends the oldest."""


class Session:
    """One login on one browser. Times are those of a clock that only goes forward."""

    __slots__ = ("began", "key", "language", "partner", "role", "secret", "used", "user")

    def __init__(
        self, key: bytes, user: str, role: Role, partner: str, language: Language, now: float
    ) -> None:
        self.key = key
        self.user = user
        self.role = role
        self.partner = partner
        self.language = language
        self.secret = secrets.token_bytes(32)
        self.began = self.used = now

    def token(self, purpose: str = "form") -> str:
        """What a request that changes something must show (CSRF)."""
        return hmac.new(self.secret, purpose.encode(), hashlib.sha256).hexdigest()

    def vouches(self, shown: str, purpose: str = "form") -> bool:
        """Whether this is that token; compared in constant time."""
        return hmac.compare_digest(self.token(purpose).encode(), shown.encode("utf-8", "replace"))


class Sessions:
    """All of them. `seconds` is a clock that only goes forward."""

    def __init__(self, settings: Console, *, seconds: Callable[[], float]) -> None:
        self._idle = settings.idle_minutes * 60.0
        self._longest = settings.session_hours * 3600.0
        self._seconds = seconds
        self._by_key: dict[bytes, Session] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def begin(self, user: str, role: Role, partner: str, language: Language) -> tuple[str, Session]:
        """A new session, and its token for the cookie: it is known nowhere else."""
        self._drop_old()
        own = [each for each in self._by_key.values() if each.user == user]
        for each in sorted(own, key=lambda each: each.used)[: len(own) - MOST_OF_ONE + 1]:
            del self._by_key[each.key]
        while len(self._by_key) >= MOST:
            del self._by_key[min(self._by_key.values(), key=lambda each: each.used).key]
        token = secrets.token_urlsafe(32)
        session = Session(_key(token), user, role, partner, language, self._seconds())
        self._by_key[session.key] = session
        return token, session

    def find(self, token: str, *, use: bool = True) -> Session | None:
        """The session of a token, while it lasts. `use`: a person did something just now."""
        session = self._by_key.get(_key(token))
        if session is None:
            return None
        now = self._seconds()
        if now - session.used > self._idle or now - session.began > self._longest:
            del self._by_key[session.key]
            return None
        if use:
            session.used = now
        return session

    def end(self, session: Session) -> None:
        """Logged out."""
        self._by_key.pop(session.key, None)

    def end_all_of(self, user: str) -> int:
        """Whoever is logged in as this user no longer is: how many sessions that were."""
        self._drop_old()
        ended = [each.key for each in self._by_key.values() if each.user == user]
        for key in ended:
            del self._by_key[key]
        return len(ended)

    def numbers(self) -> Counter[str]:
        """How many sessions each user has now."""
        self._drop_old()
        return Counter(each.user for each in self._by_key.values())

    def _drop_old(self) -> None:
        now = self._seconds()
        for session in list(self._by_key.values()):
            if now - session.used > self._idle or now - session.began > self._longest:
                del self._by_key[session.key]


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
