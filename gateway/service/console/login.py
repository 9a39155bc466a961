"""Logging in and out.

Guessing is slowed down as it is by SFTP and HTTP (`guessing`), by address and by login.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from gateway.core.acknowledgement.markup import Piece, element
from gateway.model.verdict import Language, Text
from gateway.service.audit import Who
from gateway.service.console import notices, passwords
from gateway.service.console.cookies import LOGIN, SESSION, cookies_of
from gateway.service.console.elements import failure, field
from gateway.service.console.layout import bare
from gateway.service.console.proving import Proving
from gateway.service.console.sources import Sources
from gateway.service.console.users import role_named
from gateway.service.console.visit import ROOT, Route, Visit, go_to, html_answer
from gateway.service.http_server import Answer
from gateway.service.journal.user_records import LOGIN as LOGIN_DEED

_WRONG: Final = Text(
    en="Name and password do not belong together.",
    fr="Le nom et le mot de passe ne vont pas ensemble.",
)
_SLOW: Final = Text(
    en="Too many wrong passwords came from this address. Wait {seconds} s, and try again.",
    fr="Trop de mots de passe faux sont venus de cette adresse. Attendez {seconds} s, puis"
    " réessayez.",
)
_AGAIN: Final = Text(
    en="This page was too old. Log in now.", fr="Cette page était trop ancienne. Connectez-vous."
)


class Login:
    """The page to log in on, and the way out."""

    def __init__(self, sources: Sources, proving: Proving) -> None:
        self._sources = sources
        self._proving = proving
        self._secret = secrets.token_bytes(32)

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route(method="GET", path=f"{ROOT}/login", page=self.ask, open=True),
            Route(method="POST", path=f"{ROOT}/login", page=self.log_in, open=True),
            Route(method="POST", path=f"{ROOT}/logout", page=self.log_out, scoped=True),
        ]

    async def ask(self, visit: Visit) -> Answer:
        """The page to log in on."""
        return self._login_page(visit)

    async def log_in(self, visit: Visit) -> Answer:
        """Begin a session."""
        name = visit.form.get("name", "").strip().lower()[:64]
        password = visit.form.get("password", "")[: passwords.MAX_BYTES]
        nonce = cookies_of(visit.head).get(LOGIN.of(visit.head), "")
        if not nonce or not hmac.compare_digest(
            self._tied_to(nonce), visit.form.get("token", "").encode("utf-8", "replace")
        ):
            return self._login_page(visit, _AGAIN.to(_language(visit)), 403, name)
        why = self._sources.unready()
        if why:
            return notices.not_ready(visit.language, why)
        guesses, peer = self._sources.guesses, visit.head.peer
        proof = passwords.proof_of(name, password)
        wait = guesses.put_off(peer, proof)
        if wait > 0:
            words = _SLOW.to(_language(visit)).format(seconds=int(wait) + 1)
            return self._login_page(visit, words, 429, name)
        delay = guesses.delay(peer, name, proof)
        if delay > 0:
            await self._sources.later(delay)
        row = await self._proving.known(name)
        if not await self._proving.right(row, password) or row is None:
            guesses.failed(peer, name)
            return self._login_page(visit, _WRONG.to(_language(visit)), 401, name)
        guesses.right(peer, proof)
        token, session = self._sources.sessions.begin(
            row.name, role_named(row.role), row.partner, _language(visit)
        )
        who = Who(name=row.name, via="console", peer=peer)
        try:
            # Another password or role, or nobody any more, since the row was read: what is changed
            # before this look is seen by it, what is changed after it ends the session.
            if await self._proving.known(name) != row:
                self._sources.sessions.end(session)
                return self._login_page(visit, _WRONG.to(_language(visit)), 401, name)
            await self._sources.audit.note(who, LOGIN_DEED)
        except BaseException:
            self._sources.sessions.end(session)
            raise
        self._sources.log.info("console_login", user=row.name, peer=peer)
        return go_to(f"{ROOT}/", SESSION.set(visit.head, token), LOGIN.drop(visit.head))

    async def log_out(self, visit: Visit) -> Answer:
        """End this session."""
        self._sources.sessions.end(visit.login)
        await self._sources.audit.note(visit.who, "logout")
        return go_to(f"{ROOT}/login", SESSION.drop(visit.head))

    def _tied_to(self, nonce: str) -> bytes:
        return (
            hmac.new(self._secret, nonce.encode("utf-8", "replace"), hashlib.sha256)
            .hexdigest()
            .encode()
        )

    def _login_page(
        self, visit: Visit, failed: str = "", status: int = 200, name: str = ""
    ) -> Answer:
        language = _language(visit)
        words = _LOGIN[language]
        nonce = secrets.token_urlsafe(24)
        other = Language.EN if language is Language.FR else Language.FR
        content: list[Piece] = [element("h1", words["title"]), failure(failed)]
        content += [
            element(
                "form",
                element("input", type="hidden", name="token", value=self._tied_to(nonce).decode()),
                field(
                    words["name"],
                    "name",
                    value=name or None,
                    autocomplete="username",
                    autocapitalize="none",
                    spellcheck="false",
                    required="",
                    autofocus="" if not name else None,
                ),
                field(
                    words["password"],
                    "password",
                    type="password",
                    autocomplete="current-password",
                    required="",
                    autofocus="" if name else None,
                ),
                element("button", words["enter"]),
                method="post",
                action=f"{ROOT}/login?lang={language.value}",
            ),
            element("p", words["none"], class_="soft"),
            element(
                "p",
                element(
                    "a",
                    "English" if other is Language.EN else "Français",
                    href=f"{ROOT}/login?lang={other.value}",
                    lang=other.value,
                ),
            ),
        ]
        return html_answer(
            bare(language, words["title"], *content), status, LOGIN.set(visit.head, nonce)
        )


def _language(visit: Visit) -> Language:
    """The one that was chosen on the page, or what the browser asks for."""
    asked = visit.query.get("lang", "")
    return Language(asked) if asked in {each.value for each in Language} else visit.language


_LOGIN: Final = {
    Language.EN: {
        "title": "Log in",
        "name": "Name",
        "password": "Password",
        "enter": "Log in",
        "none": "No login yet? Whoever runs the gateway makes one: edi-gateway user add.",
    },
    Language.FR: {
        "title": "Connexion",
        "name": "Nom",
        "password": "Mot de passe",
        "enter": "Se connecter",
        "none": "Pas encore de compte ? L'exploitant de la passerelle en crée : edi-gateway user"
        " add.",
    },
}
