"""Attachments kept away from the rules that do not look into them.

An invoice may carry 100 MB of base64 (BT-125), which Saxon would copy and keep several times over.
So where no rule pack of its chain reads the text of such an element, or of one around it
(`core.reading`), the packs are given the document with all but the beginning of that text left out.
What is left is never empty, for rules may ask whether an element is; and line and column are taken
from the document as it came, which the schema and the mapping see as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from gateway.core.places import BINARY_ELEMENTS
from gateway.core.readiness import Unwatched, Watcher
from gateway.core.reading import ANY, names_read
from gateway.core.xml import ParsedXml
from gateway.errors import RulePackError

HEAVY: Final = 100_000
"""Bytes of base64 from which on a document is worth the trouble."""

_LEFT: Final = 4
"""So many characters are left of each: they are base64 of their own."""

_SMALL: Final = 1000
"""Shorter ones are left alone."""

_FOUND: Final = re.compile(
    rb"""<(?:
        !--.*?-->
      | !\[CDATA\[.*?\]\]>
      | \?.*?\?>
      | (?:[^\s<>/:]+:)?(?:%s)(?:\s[^<]*?)?>(?P<base64>\s*[A-Za-z0-9+/][A-Za-z0-9+/=\s]{%d,})</
    )"""
    % ("|".join(sorted(BINARY_ELEMENTS)).encode(), _SMALL),
    re.DOTALL | re.VERBOSE,
)
"""An attachment in well-formed XML; comments and the like go by as a whole, whatever is in them."""


class Attachments:
    """Which packs read what, worked out when the first attachment comes that is worth it.

    `stylesheets` gives all that may be run for a pack, or raises RulePackError.
    """

    def __init__(
        self, stylesheets: Callable[[str], Iterable[str]], watcher: Watcher | None = None
    ) -> None:
        self._stylesheets = stylesheets
        self._watcher = watcher or Unwatched()
        self._read: dict[str, frozenset[str]] = {}

    def keep_away(self, parsed: ParsedXml, packs: Iterable[str]) -> None:
        """Leave attachments out of what the packs are given, if none of them reads any."""
        if len(parsed.data) < HEAVY:
            return
        lighter = _without(parsed.data)
        if len(parsed.data) - len(lighter) < HEAVY:
            return
        around = _names_around(parsed)
        if not any(_meet(around, self._names_read(pack)) for pack in packs):
            parsed.for_rules = lighter

    def forget(self) -> None:
        """Rule packs are not what they were."""
        self._read.clear()

    def _names_read(self, pack: str) -> frozenset[str]:
        if pack not in self._read:
            with self._watcher.preparing():
                try:
                    stylesheets = self._stylesheets(pack)
                except RulePackError:
                    return frozenset({ANY})  # nobody knows; whoever runs it says why
                read = map(names_read, stylesheets)
                self._read[pack] = frozenset[str]().union(*read)
        return self._read[pack]


def _without(data: bytes) -> bytes:
    """The document without most of its base64; itself when it has no attachments."""
    if not any(name.encode() in data for name in BINARY_ELEMENTS):
        return data
    pieces: list[bytes] = []
    end = 0
    for found in _FOUND.finditer(data):
        if found["base64"] is not None:
            start, stop = found.span("base64")
            pieces += (data[end:start], data[start:stop].lstrip()[:_LEFT])
            end = stop
    return b"".join((*pieces, data[end:])) if pieces else data


def _names_around(parsed: ParsedXml) -> set[str]:
    """Local names of all attachments and of all elements around them."""
    names = set()
    for element in parsed.root.iter(*(f"{{*}}{name}" for name in BINARY_ELEMENTS)):
        names |= {_local(element.tag), *(_local(above.tag) for above in element.iterancestors())}
    return names


def _meet(names: set[str], read: frozenset[str]) -> bool:
    endings = tuple(name[len(ANY) :] for name in read if name.startswith(ANY))
    return not names.isdisjoint(read) or any(name.endswith(endings) for name in names)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
