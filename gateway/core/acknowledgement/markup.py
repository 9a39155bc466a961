"""HTML out of pieces. Whatever is not markup made here is escaped, so nothing can be forgotten.

Names of elements and attributes are ours and stand in the code; texts and values may be anybody's.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Final

from gateway.core.acknowledgement.report_facts import clean

_VOID: Final = frozenset({"br", "input", "link", "meta", "wbr"})
_BLOCKS: Final = frozenset(
    {
        *("article", "body", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "head", "header"),
        *("html", "li", "main", "meta", "nav", "ol", "p", "pre", "section", "style", "table"),
        *("tbody", "td", "th", "thead", "title", "tr", "ul"),
    }
)
"""Elements that end with a line break, so that people can read and compare the file."""
_DIRECTIONS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks that turn the direction of writing: with them a name shows other than it is."""
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Html(str):
    """Text that is markup already. Only this module makes it."""

    __slots__ = ()


Piece = str | Html | None


def element(name: str, /, *content: Piece, **attributes: str | None) -> Html:
    """An element with this content; an attribute that is None is left out.

    `class_` is class: Python keeps the word for itself; `data_x` is data-x.
    """
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    after = "\n" if name in _BLOCKS else ""
    if name in _VOID:
        return Html(f"<{name}{shown}>{after}")
    return Html(f"<{name}{shown}>{joined(content)}</{name}>{after}")


def joined(content: Iterable[Piece]) -> Html:
    """Pieces one after the other; None says nothing."""
    return Html(
        "".join(
            piece if isinstance(piece, Html) else _escaped(piece)
            for piece in content
            if piece is not None
        )
    )


def style(css: str) -> Html:
    """A style sheet of our own. Raises `ValueError` for one that would end its element."""
    if "<" in css:
        raise ValueError("a style sheet in a page may not hold '<'")
    return Html(f"<style>{css}</style>\n")


def _escaped(text: str) -> str:
    shown = _CONTROL.sub("\ufffd", _DIRECTIONS.sub("\ufffd", clean(text)))
    return html.escape(shown, quote=True)
