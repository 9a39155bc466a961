"""From the XPath an engine reports to the element it means, for many findings at once.

A bulk invoice may break the same rule on each of ten thousand lines. Walking from the root for
every finding would count the lines again each time; here each parent's children are counted once.
"""

from __future__ import annotations

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


class Located(NamedTuple):
    """`path` has the usual prefixes. `element` is None when the document has no such place."""

    element: etree._Element | None
    path: str


class Locations:
    """The places of one document that a report speaks about."""

    def __init__(self, parsed: ParsedXml) -> None:
        self._parsed = parsed
        self._children: dict[etree._Element, dict[str, list[etree._Element]]] = {}
        self._known: dict[str, Located] = {}

    def at(self, location: str) -> Located:
        """The element (of an attribute: its element) at the engine's XPath."""
        path, at, attribute = location.partition("/@")
        located = self._element(path or "/")
        if not at:
            return located
        name = _ATTRIBUTE.match(at + attribute)
        suffix = f"/@{name['local'] or name['name']}" if name else ""
        return Located(located.element, located.path + suffix)

    def _element(self, path: str) -> Located:
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = self._walk(path) or self._search(path)
        return known

    def _search(self, path: str) -> Located:
        element = element_at(self._parsed, path)
        return Located(element, path if element is None else friendly_path(element))

    def _walk(self, path: str) -> Located | None:
        """Step down from the parent, which was looked up before; None for another spelling."""
        start = path.rfind("/*:")
        step = _STEP.fullmatch(path, start) if start >= 0 else None
        if step is None:
            return None
        tag = f"{{{step['namespace']}}}{step['name']}" if step["namespace"] else step["name"]
        number = int(step["number"] or 1)
        if start == 0:
            root = self._parsed.root
            if root.tag != tag or number != 1:
                return None
            return Located(root, f"/{friendly_name(tag, root.prefix)}")
        parent = self._element(path[:start])
        if parent.element is None:
            return None
        twins = self._twins(parent.element).get(tag, [])
        if number > len(twins):
            return None
        element = twins[number - 1]
        return Located(element, f"{parent.path}/{friendly_name(tag, element.prefix)}[{number}]")

    def _twins(self, parent: etree._Element) -> dict[str, list[etree._Element]]:
        known = self._children.get(parent)
        if known is None:
            known = defaultdict(list)
            for child in parent.iterchildren("*"):
                known[child.tag].append(child)
            self._children[parent] = known
        return known
