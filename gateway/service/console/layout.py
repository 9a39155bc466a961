"""What every page of the console has around it: head, menu, language, who is logged in."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Final

import msgspec

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.core.acknowledgement.page_words import typeset
from gateway.model.verdict import Language, Text
from gateway.service.console.elements import form
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Visit, html_answer
from gateway.service.http_server import Answer

_FOLDER: Final = Path(__file__).parent
_ASSETS: Final = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


class Entry(msgspec.Struct, frozen=True):
    """One line of the menu, for whom."""

    key: str
    path: str
    words: Text
    role: Role = Role.VIEWER
    scoped: bool = False


MENU: Final = (
    Entry("flows", "/", Text(en="Flows", fr="Flux"), scoped=True),
    Entry(
        "interchanges",
        "/interchanges",
        Text(en="Interchanges", fr="Échanges"),
        scoped=True,
    ),
    Entry("search", "/search", Text(en="Search", fr="Recherche"), scoped=True),
    Entry("queue", "/queue", Text(en="Queue", fr="File d'attente")),
    Entry("alerts", "/alerts", Text(en="Alerts", fr="Alertes")),
    Entry("quarantine", "/quarantine", Text(en="Quarantine", fr="Quarantaine")),
    Entry("holds", "/holds", Text(en="Holds", fr="Suspensions")),
    Entry("partners", "/partners", Text(en="Partners", fr="Partenaires")),
    Entry("rules", "/rules", Text(en="Rules", fr="Règles")),
    Entry("replays", "/replays", Text(en="Replays", fr="Nouveaux contrôles"), Role.OPERATOR),
    Entry("statistics", "/statistics", Text(en="Statistics", fr="Statistiques"), scoped=True),
    Entry("audit", "/audit", Text(en="Audit", fr="Audit"), Role.OPERATOR),
    Entry("users", "/users", Text(en="Users", fr="Utilisateurs"), Role.ADMINISTRATOR),
)
_SCOPED_HOME: Final = Text(en="My files", fr="Mes fichiers")


@functools.cache
def assets() -> dict[str, tuple[str, bytes]]:
    """Style sheet, script and icon by address: with a part of their sums, so they may be kept."""
    found = {}
    for name, kind in _ASSETS.items():
        body = (_FOLDER / name).read_bytes()
        stem, _, ending = name.rpartition(".")
        key = f"{stem}-{hashlib.sha256(body).hexdigest()[:12]}.{ending}"
        found[key] = (f"{kind}; charset=utf-8", body)
    return found


def page(
    visit: Visit,
    title: str,
    *content: Piece,
    active: str = "",
    live: bool = False,
    watched: str = "",
) -> Answer:
    """A page for somebody who is logged in. `live`: its numbers are asked for again and again.

    `watched`: a query that asks for numbers of this page beside those of the menu.
    """
    events = f"{ROOT}/events?{watched}" if watched else f"{ROOT}/events"
    shell = element(
        "body",
        element("a", visit.say("To the content", "Aller au contenu"), href="#main", class_="skip"),
        _top(visit, active),
        element(
            "main",
            element("h1", title),
            *content,
            id="main",
            tabindex="-1",
            data_events=events if live else None,
        ),
        class_="inside",
    )
    return html_answer(_document(visit.language, title, shell))


def bare(language: Language, title: str, *content: Piece) -> Html:
    """A page without a menu: the login, a notice."""
    shell = element(
        "body",
        element(
            "main",
            element("p", "edi-gateway", class_="brand"),
            *content,
            id="main",
        ),
        class_="bare",
    )
    return _document(language, title, shell)


def _document(language: Language, title: str, body: Html) -> Html:
    css, script, icon = assets()
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="robots", content="noindex"),
        element("title", f"{typeset(title, language)} – edi-gateway"),
        element("link", rel="stylesheet", href=f"{ROOT}/assets/{css}"),
        element("link", rel="icon", href=f"{ROOT}/assets/{icon}"),
        element("script", src=f"{ROOT}/assets/{script}", defer=""),
    )
    return element("html", head, body, lang=language.value)


def _top(visit: Visit, active: str) -> Html:
    login = visit.login
    items = [
        element(
            "li",
            element(
                "a",
                _entry_words(visit, entry),
                element("span", "", class_="badge", data_live=entry.key, hidden=""),
                href=f"{ROOT}{entry.path}",
                aria_current="page" if entry.key == active else None,
            ),
        )
        for entry in MENU
        if login.role >= entry.role and (entry.scoped or not login.partner)
    ]
    other = Language.EN if visit.language is Language.FR else Language.FR
    switch = form(
        visit,
        "/language",
        element("input", type="hidden", name="language", value=other.value),
        element("input", type="hidden", name="back", value=visit.head.path),
        element(
            "button",
            "Français" if other is Language.FR else "English",
            lang=other.value,
            class_="link",
        ),
    )
    out = form(
        visit,
        "/logout",
        element("button", visit.say("Log out", "Se déconnecter"), class_="link"),
    )
    name = login.user if not login.partner else f"{login.user} ({login.partner})"
    return element(
        "header",
        element(
            "div",
            element("a", "edi-gateway", href=f"{ROOT}/", class_="brand"),
            element(
                "div",
                element("a", name, href=f"{ROOT}/account", class_="who"),
                switch,
                out,
                class_="me",
            ),
            class_="bar",
        ),
        element(
            "nav",
            element("ul", *items),
            aria_label=visit.say("Pages", "Pages"),
        ),
        class_="top",
    )


def _entry_words(visit: Visit, entry: Entry) -> str:
    if entry.key == "flows" and visit.scope:
        return _SCOPED_HOME.to(visit.language)
    return entry.words.to(visit.language)
