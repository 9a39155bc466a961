"""The one place where it is decided who may see what.

A request passes here before any page: is there such a page, is somebody logged in, is the role
enough, may a partner's own login come here, is the interchange one of theirs, and was what changes
something sent from a page of ours. A page gets a `Visit`, and need not ask again.

    GET   ─▶ route ─▶ login ─▶ role and scope ─▶ interchange ─▶ page
    POST  ─▶ route ─▶ from our own page? ─▶ login ─▶ role and scope ─▶ token ─▶ interchange ─▶ page
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from gateway.errors import GatewayError, JournalError
from gateway.model.verdict import Language
from gateway.service.console import notices
from gateway.service.console.cookies import SESSION, cookies_of
from gateway.service.console.sessions import Session
from gateway.service.console.sources import Sources
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Route, Visit, go_to
from gateway.service.http_server import Admitted, Answer, Received, RequestHead
from gateway.service.http_server.limits import SMALL_BYTES
from gateway.service.journal import records

MOST_OF_ONE: Final = 16
"""Requests of one login at once."""
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WORD: Final = {"interchange": _ID.pattern, "n": r"[0-9]{1,10}", "name": r"[0-9A-Za-z._-]{1,80}"}
FORM: Final = "application/x-www-form-urlencoded"


class Gate:
    """Answers requests below `ROOT` as a handler of the HTTP server."""

    def __init__(self, routes: Sequence[Route], sources: Sources) -> None:
        self._sources = sources
        self._routes = [(_pattern(route.path), route) for route in routes]

    def admit(self, head: RequestHead) -> Answer | Admitted:
        """Whether the body may come; nothing larger than a form, but where files are sent."""
        route, _ = self._route(head)
        if isinstance(route, Answer):
            return route
        if route.method == "POST" and not _from_us(head):
            return notices.foreign(language_of(head))
        session = self._session(head, route)
        key = f"console {session.user}" if session is not None else f"console {head.peer}"
        if not route.upload:
            return Admitted(
                max_bytes=SMALL_BYTES, key=key, max_connections=MOST_OF_ONE, small_in_memory=True
            )
        # A file is written to disk as it comes: not before it is known who sends it.
        refused = self._refusal(head, route, session)
        if refused is not None:
            return refused
        assert session is not None
        if not session.vouches(dict(_pairs(head.query)).get("token", ""), "upload"):
            return notices.stale(session.language)
        return Admitted(
            max_bytes=self._sources.max_upload_bytes, key=key, max_connections=MOST_OF_ONE
        )

    async def handle(self, received: Received) -> Answer:
        """The page."""
        head = received.head
        route, words = self._route(head)
        if isinstance(route, Answer):
            return route
        session = self._session(head, route)
        language = session.language if session is not None else language_of(head)
        try:
            visit = await self._visit(received, route, words, session, language)
            return visit if isinstance(visit, Answer) else await route.page(visit)
        except JournalError as error:
            self._sources.log.warning("console_not_read", path=route.path, error=str(error))
            return notices.unreadable(language, error)
        except GatewayError as error:
            return notices.refused(language, error)

    async def _visit(
        self,
        received: Received,
        route: Route,
        words: Mapping[str, str],
        session: Session | None,
        language: Language,
    ) -> Visit | Answer:
        head = received.head
        refused = self._refusal(head, route, session)
        if refused is not None:
            return refused
        form: dict[str, str] = {}
        if route.method == "POST" and not route.upload:
            form = _form(received)
            if not route.open:
                assert session is not None
                if not session.vouches(form.get("token", "")):
                    return notices.stale(language)
        interchange = None
        if "interchange" in words:
            assert session is not None
            interchange = await self._interchange(words["interchange"], session.partner)
            if interchange is None:
                return notices.no_interchange(language)
        return Visit(
            head=head,
            received=received,
            session=session,
            language=language,
            words=words,
            query=dict(_pairs(head.query)),
            form=form,
            interchange=interchange,
        )

    def _route(self, head: RequestHead) -> tuple[Route | Answer, Mapping[str, str]]:
        method = "GET" if head.method == "HEAD" else head.method
        others: list[str] = []
        for pattern, route in self._routes:
            found = pattern.fullmatch(head.path)
            if found is None:
                continue
            if route.method == method:
                return route, found.groupdict()
            others.append(route.method)
        if others:
            return notices.wrong_method(language_of(head), others), {}
        return notices.not_found(language_of(head)), {}

    def _session(self, head: RequestHead, route: Route) -> Session | None:
        token = cookies_of(head).get(SESSION.of(head), "")
        return self._sources.sessions.find(token, use=not route.live) if token else None

    def _refusal(self, head: RequestHead, route: Route, session: Session | None) -> Answer | None:
        """Why this login may not come here; None when it may."""
        if route.open:
            return None
        why = self._sources.unready()
        if session is None:
            if route.live or route.method != "GET":
                return notices.log_in_first(language_of(head))
            return go_to(f"{ROOT}/login")
        if why:
            return notices.not_ready(session.language, why)
        if session.role < route.role or (session.partner and not route.scoped):
            return notices.forbidden(session.language)
        return None

    async def _interchange(self, id_: str, scope: str) -> records.InterchangeRow | None:
        """The one of this id, unless it is of a partner this login does not see."""
        row: records.InterchangeRow | None = await self._sources.reader.read(
            "interchange", lambda conn: records.interchange(conn, id_)
        )
        return row if row is not None and scope in ("", row.partner) else None


def language_of(head: RequestHead) -> Language:
    """What the browser asks for: French where it stands before English."""
    for part in (head.get("Accept-Language") or "").split(",")[:20]:
        word = part.partition(";")[0].strip().lower()[:2]
        if word in (Language.FR.value, Language.EN.value):
            return Language(word)
    return Language.EN


def allowed(route: Route, role: Role, partner: str) -> bool:
    """Whether a login may come to a page at all: for the menu."""
    return role >= route.role and (route.scoped or not partner)


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\})", path)
    return re.compile(
        "".join(
            f"(?P<{part[1:-1]}>{_WORD[part[1:-1]]})" if part.startswith("{") else re.escape(part)
            for part in parts
        )
    )


def _from_us(head: RequestHead) -> bool:
    """Whether a page of this console sent this: browsers say where a form stood.

    The token of the session is looked at as well; this needs no session, so it guards the login.
    """
    site = head.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = head.get("Origin")
    if origin is None:
        return True
    return origin != "null" and urlsplit(origin).netloc.lower() == (head.get("Host") or "").lower()


def _form(received: Received) -> dict[str, str]:
    kind = (received.head.get("Content-Type") or "").partition(";")[0].strip().lower()
    if kind != FORM or received.content is None:
        return {}
    return dict(_pairs(received.content.decode("utf-8", "replace")))


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        found: list[Any] = parse_qsl(text, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return []
    return [(name, value.replace("\x00", "\ufffd")) for name, value in found]
