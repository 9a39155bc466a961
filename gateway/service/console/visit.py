"""One request to the console as a page sees it, and the answers a page may give."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from gateway.core.acknowledgement.markup import Html
from gateway.model.as2 import Headers
from gateway.model.verdict import Language
from gateway.service.audit import Who
from gateway.service.console.sessions import Session
from gateway.service.console.users import Role
from gateway.service.http_server import Answer, Received, RequestHead
from gateway.service.journal import records

ROOT: Final = "/console"

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS: Final[Headers] = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)
SECURITY: Final[Headers] = (*_ALWAYS, ("Cache-Control", "no-store"))
"""Beside every answer of the console, but for its style sheet and script: these may be kept."""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """A request that may see what it asks for: whoever made this has looked.

    `session` is None on the few pages that need no login. `words` are what stands in the path
    where the route has a name; `interchange` is the one it names, of a partner this login sees.
    """

    head: RequestHead
    received: Received
    session: Session | None
    language: Language
    words: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    interchange: records.InterchangeRow | None = None

    def say(self, en: str, fr: str) -> str:
        """The one of two sentences that this reader reads."""
        return fr if self.language is Language.FR else en

    @property
    def login(self) -> Session:
        """The session of a page that needs a login."""
        assert self.session is not None
        return self.session

    @property
    def scope(self) -> str:
        """The only partner this login sees; "" for all."""
        return self.login.partner

    @property
    def about(self) -> records.InterchangeRow:
        """The interchange of a page that is about one."""
        assert self.interchange is not None
        return self.interchange

    @property
    def who(self) -> Who:
        """For the audit."""
        return Who(name=self.login.user, via="console", peer=self.head.peer)

    def may(self, role: Role) -> bool:
        """Whether this login may do what takes this role; one of a partner's only looks."""
        return self.login.role >= role and not self.scope

    def number(self, name: str, most: int = 2**31 - 1) -> int:
        """A number of the query; 0 when there is none, or no sensible one."""
        text = self.query.get(name, "")
        return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 19 else 0


Page = Callable[[Visit], Awaitable[Answer]]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A page, and who may see it. `{name}` in the path takes one word of it.

    `scoped`: a partner's own login may come here, and sees what is the partner's. `open`: no login
    is needed. `live`: the script asks by itself, so it does not keep a session from ending.
    `upload`: the body is a file. `shaped`: it is asked for by other means than a browser's page.
    """

    method: str
    path: str
    page: Page
    role: Role = Role.VIEWER
    scoped: bool = False
    open: bool = False
    live: bool = False
    upload: bool = False


def html_answer(page: Html, status: int = 200, *headers: tuple[str, str]) -> Answer:
    """A whole page."""
    body = f"<!DOCTYPE html>\n{page}".encode()
    return Answer(status, (("Content-Type", "text/html; charset=utf-8"), *SECURITY, *headers), body)


def go_to(path: str, *headers: tuple[str, str]) -> Answer:
    """303: after something was done, or where there is a better place to look."""
    return Answer(303, (("Location", path), *SECURITY, *headers))


def asset(kind: str, body: bytes) -> Answer:
    """A file of ours; its address changes with it, so it may be kept."""
    kept = ("Cache-Control", "public, max-age=31536000, immutable")
    return Answer(200, (("Content-Type", kind), *_ALWAYS, kept), body)


def download(name: str, content: bytes | Any, kind: str = "application/octet-stream") -> Answer:
    """A file to keep, never to be shown by the browser as a page of ours.

    `content`: its bytes, or the path of a file.
    """
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    headers: Headers = (
        ("Content-Type", kind),
        (
            "Content-Disposition",
            f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        ),
        *SECURITY,
        # Wherever it is opened after all, it can do nothing.
        ("Content-Security-Policy", "sandbox; default-src 'none'"),
    )
    if isinstance(content, bytes):
        return Answer(200, headers, content)
    return Answer(200, headers, file=content)
