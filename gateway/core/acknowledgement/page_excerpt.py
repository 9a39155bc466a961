"""The excerpt of a finding with the place marked: the attribute, the value, or the tag it is at."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_LEAF: Final = re.compile(r"(<[^<>]*>)([^<]+)(</[^<>]*>?.*)", re.DOTALL)
_TAG: Final = re.compile(r"<[^<>]*>?")


class Marked(NamedTuple):
    """An excerpt in three parts; the middle one is what the finding is about."""

    before: str
    marked: str
    after: str


def marked(excerpt: str, location: str | None) -> Marked:
    """What to mark in the element as written.

    An attribute when the location ends with one, else the text of an element that holds nothing
    but text, else the tag the element begins with. What does not begin with a tag is no element
    but the surroundings of a place between tags: nothing in it is marked.
    """
    tag = _TAG.match(excerpt)
    if tag is None:
        return Marked(excerpt, "", "")
    attribute = (location or "").rpartition("/@")[2] if "/@" in (location or "") else ""
    if attribute:
        found = re.search(rf"\s({re.escape(attribute)}\s*=\s*(?:\"[^\"]*\"|'[^']*'))", tag[0])
        if found is not None:
            return _split(excerpt, *found.span(1))
    leaf = _LEAF.fullmatch(excerpt)
    if leaf is not None and leaf[2].strip():
        return _split(excerpt, *leaf.span(2))
    return _split(excerpt, *tag.span())


def _split(text: str, start: int, end: int) -> Marked:
    return Marked(text[:start], text[start:end], text[end:])
