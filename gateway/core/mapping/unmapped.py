"""What a document holds and no path of the table reads: listed, never dropped in silence.

The walk that reads a document (`reader`) says here which elements and attributes it did not
read. Those that say nothing beside the terms (`[implied]` in the table) are left out, and so is
what XML Schema itself puts on an element; of the others the paths are listed, as many as a
message has room for, and all are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lxml import etree

from gateway.core.mapping.entries import Table
from gateway.core.mapping.paths import WHITE_SPACE

MAX_PATHS: Final = 100
"""Paths listed for one document."""
MAX_ALIKE: Final = 5
"""Of them, such as differ in their positions alone: many lines must not hide what else there is."""

_SCHEMA_INSTANCE: Final = "{http://www.w3.org/2001/XMLSchema-instance}"

_Above = tuple[str, ...]
"""Names of the elements above something, the nearest first."""


class KnownNames:
    """What one table says of names: their prefixes, and what is implied. Shared by documents."""

    __slots__ = ("_implied", "_prefixes")

    def __init__(self, table: Table) -> None:
        self._prefixes = {uri: prefix for prefix, uri in table.prefixes.items()}
        self._implied: dict[str, list[tuple[_Above, frozenset[str] | None]]] = {}
        for implied in table.implied.values():
            values = None if implied.values is None else frozenset(implied.values)
            for text in implied.paths:
                path = table.path(text)
                names = [step.tag for step in path.steps]
                if path.attribute is not None:
                    names.append(f"@{path.attribute}")
                *above, last = names
                self._implied.setdefault(last, []).append((tuple(reversed(above)), values))

    def implies(self, name: str, value: str, around: etree._Element | None) -> bool:
        """Whether `value` says nothing, in `name` (with @ for an attribute) below `around`."""
        for above, values in self._implied.get(name, ()):
            if values is None or value in values:
                names = _names_above(around, len(above))
                if names == above:
                    return True
        return False

    def silent(self, names: _Above) -> frozenset[str]:
        """Values that say nothing in the text of an element; `names`: it and those above it."""
        found: set[str] = set()
        for above, values in self._implied.get(names[0], ()) if names else ():
            if values is not None and names[1 : len(above) + 1] == above:
                found |= values
        return frozenset(found)

    def onward(self, names: _Above) -> frozenset[str]:
        """Children that lead to such an element, or are one."""
        found = set()
        for last, rules in self._implied.items():
            for above, _ in rules:
                way = (last, *above)
                for left in range(1, len(way)):
                    if names[: len(way) - left] == way[left:] and not last.startswith("@"):
                        found.add(way[left - 1])
        return frozenset(found)

    def shown(self, name: str) -> str:
        """A name in Clark notation, with the table's prefix; XPath's Q{…}name without one."""
        uri, _, local = name.rpartition("}")
        if not uri:
            return local
        prefix = self._prefixes.get(uri[1:])
        return f"Q{uri}}}{local}" if prefix is None else f"{prefix}:{local}"


class Unmapped:
    """What was not read of one document."""

    __slots__ = ("_alike", "_names", "paths", "total")

    def __init__(self, names: KnownNames) -> None:
        self._names = names
        self._alike: dict[tuple[str, ...], int] = {}
        self.paths: list[str] = []
        self.total = 0

    def subtree(self, element: etree._Element) -> None:
        """Nothing of this element was read."""
        for inside in element.iter("*"):
            self.text(inside)
            for name in inside.attrib:
                self.attribute(inside, str(name))

    def text(self, element: etree._Element) -> None:
        """The element's own text was not read."""
        value = "".join(_own_text(element)).strip(WHITE_SPACE)
        if value and not self._names.implies(str(element.tag), value, element.getparent()):
            self._note(element, ())

    def attribute(self, element: etree._Element, name: str) -> None:
        """An attribute, by its name in Clark notation, was not read."""
        value = str(element.get(name, "")).strip(WHITE_SPACE)
        if not value or name.startswith(_SCHEMA_INSTANCE):
            return
        if not self._names.implies(f"@{name}", value, element):
            self._note(element, (f"@{self._names.shown(name)}",))

    def _note(self, element: etree._Element, last: tuple[str, ...]) -> None:
        self.total += 1
        if len(self.paths) >= MAX_PATHS:
            return
        way = [element, *element.iterancestors()][:-1]
        alike = (*(str(one.tag) for one in way), *last)
        seen = self._alike[alike] = self._alike.get(alike, 0) + 1
        if seen <= MAX_ALIKE:
            steps = [self._names.shown(str(one.tag)) + _position(one) for one in reversed(way)]
            self.paths.append("/".join((*steps, *last)))


def _names_above(element: etree._Element | None, levels: int) -> _Above:
    names: list[str] = []
    while element is not None and len(names) < levels:
        names.append(str(element.tag))
        element = element.getparent()
    return tuple(names)


def _own_text(element: etree._Element) -> Iterator[str]:
    """The text directly in an element: also what comments and elements in it divide."""
    yield element.text or ""
    for inside in element:
        yield inside.tail or ""


def _position(element: etree._Element) -> str:
    """`[3]` for the third of several elements of one name; nothing for one alone."""
    before = sum(1 for _ in element.itersiblings(element.tag, preceding=True))
    if before == 0 and next(element.itersiblings(element.tag), None) is None:
        return ""
    return f"[{before + 1}]"
