"""The console's two cookies: the session, and what ties a login form to the browser it is on."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.service.console.visit import ROOT
from gateway.service.http_server import RequestHead

MOST_LETTERS: Final = 8000


class Cookie(msgspec.Struct, frozen=True):
    """One cookie, by name.

    Over TLS the name begins with `__Host-`: then no other host and no plain connection can set it.
    """

    name: str

    def of(self, head: RequestHead) -> str:
        """Its name on this connection."""
        return f"__Host-{self.name}" if head.secure else self.name

    def set(self, head: RequestHead, value: str) -> tuple[str, str]:
        """The header that sets it until the browser ends."""
        return "Set-Cookie", f"{self.of(head)}={value}; {_attributes(head)}"

    def drop(self, head: RequestHead) -> tuple[str, str]:
        """The header that takes it away."""
        return "Set-Cookie", f"{self.of(head)}=; {_attributes(head)}; Max-Age=0"


SESSION: Final = Cookie("edi-session")
LOGIN: Final = Cookie("edi-login")


def cookies_of(head: RequestHead) -> dict[str, str]:
    """What the browser sent; the first of each name, as browsers put the most specific first."""
    found: dict[str, str] = {}
    for name, value in head.headers:
        if name.lower() != "cookie":
            continue
        for part in value[:MOST_LETTERS].split(";"):
            key, given, text = part.strip().partition("=")
            if given:
                found.setdefault(key, text)
    return found


def _attributes(head: RequestHead) -> str:
    if head.secure:
        return "Path=/; HttpOnly; SameSite=Strict; Secure"
    return f"Path={ROOT}; HttpOnly; SameSite=Strict"
