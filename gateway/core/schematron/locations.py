"""From the XPath an engine reports to the element it means, for many findings at once.

A bulk invoice may break the same rule on each of ten thousand lines. Walking from the root for
every finding would count the lines again each time; here each parent's children are counted once.
Invoices have their faults in the same places: what an XPath says is read once for all documents.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections import defaultdict
from typing import Final, NamedTuple

from lxml import etree

from gateway.core.xml import ParsedXml, element_at, friendly_name, friendly_path

_STEP: Final = re.compile(
    r"/\*:(?P<name>[^\[/]+)\[namespace-uri\(\)='(?P<namespace>[^']*)'\](?:\[(?P<number>\d+)\])?"
)
"""A step as the ISO skeleton's full-path mode writes it; others go the slow way."""

_ATTRIBUTE: Final = re.compile(
    r"/@(?:\*\[local-name\(\)='(?P<local>[^']+)'|(?:\*:|[\w.-]+:)?(?P<name>[\w.-]+))"
)
_OWN: Final = "?"
"""Stands for the prefix that a document has for a namespace without a usual one."""
_FEW: Final = 8
"""Up to there an element is counted out among its siblings; beyond, they are counted once."""


class Located(NamedTuple):
    """`path` has the usual prefixes. `element` is None when the document has no such place."""

    element: etree._Element | None
    path: str


class _Step(NamedTuple):
    """The last step of a path, and the path before it ("" for the root element).

    `name`: the usual name of the element; "" when that depends on the document's own prefix.
    """

    parent: str
    tag: str
    number: int
    name: str


class Locations:
    """The places of one document that a report speaks about."""

    def __init__(self, parsed: ParsedXml) -> None:
        self._parsed = parsed
        self._children: dict[etree._Element, dict[str, list[etree._Element]]] = {}
        self._known: dict[str, Located] = {}

    def at(self, location: str) -> Located:
        """The element (of an attribute: its element) at the engine's XPath."""
        known = self._known.get(location)
        if known is None:
            known = self._known[location] = self._look(location)
        return known

    def _look(self, location: str) -> Located:
        path, at, attribute = location.partition("/@")
        if not at:
            return self._walk(path) or self._search(path or "/")
        located = self.at(path or "/")
        name = _ATTRIBUTE.match(at + attribute)
        suffix = f"/@{name['local'] or name['name']}" if name else ""
        return Located(located.element, located.path + suffix)

    def _search(self, path: str) -> Located:
        element = element_at(self._parsed, path)
        return Located(element, path if element is None else friendly_path(element))

    def _walk(self, path: str) -> Located | None:
        """Step down from the parent, which was looked up before; None for another spelling."""
        step = _last_step(path)
        if step is None:
            return None
        if not step.parent:
            root = self._parsed.root
            if root.tag != step.tag or step.number != 1:
                return None
            return Located(root, f"/{step.name or friendly_name(step.tag, root.prefix)}")
        parent = self.at(step.parent)
        if parent.element is None:
            return None
        element = self._child(parent.element, step.tag, step.number)
        if element is None:
            return None
        name = step.name or friendly_name(step.tag, element.prefix)
        return Located(element, f"{parent.path}/{name}[{step.number}]")

    def _child(self, parent: etree._Element, tag: str, number: int) -> etree._Element | None:
        if number <= _FEW:
            named = parent.iterchildren(tag)
            return next(itertools.islice(named, number - 1, number), None)
        twins = self._twins(parent).get(tag, [])
        return twins[number - 1] if number <= len(twins) else None

    def _twins(self, parent: etree._Element) -> dict[str, list[etree._Element]]:
        known = self._children.get(parent)
        if known is None:
            known = defaultdict(list)
            for child in parent.iterchildren("*"):
                known[child.tag].append(child)
            self._children[parent] = known
        return known


@functools.lru_cache(maxsize=4096)
def _last_step(path: str) -> _Step | None:
    start = path.rfind("/*:")
    step = _STEP.fullmatch(path, start) if start >= 0 else None
    if step is None:
        return None
    namespace = step["namespace"]
    tag = f"{{{namespace}}}{step['name']}" if namespace else step["name"]
    name = friendly_name(tag, _OWN)
    name = "" if name.startswith(_OWN) else name
    return _Step(path[:start], tag, int(step["number"] or 1), name)
