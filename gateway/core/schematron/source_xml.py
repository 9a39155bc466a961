"""Writes XML in which every tag ends on a line of its own, and remembers where it came from.

That is how a complaint of the XSLT compiler, which names lines, becomes one about the line of the
Schematron somebody wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from gateway.core.schematron.source_files import Node, Place, line_of

_XML: Final = "http://www.w3.org/XML/1998/namespace"


class Stylesheet(NamedTuple):
    """The XSLT as text, and for each of its lines the place of the source it comes from.

    `expressions`: what the source says in its attributes, most of it XPath, with the places.
    """

    text: str
    places: tuple[Place | None, ...]
    expressions: tuple[tuple[str, Place], ...]


class PlacedWriter:
    """Takes tags and text in their order."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._places: list[Place | None] = [None]
        self._expressions: list[tuple[str, Place]] = []

    def open(self, tag: str, attributes: Mapping[str, str], place: Place | None = None) -> None:
        """A start tag; `place` is where what it says stands in the source."""
        self._tag(tag, attributes, ">", place)

    def empty(self, tag: str, attributes: Mapping[str, str], place: Place | None = None) -> None:
        """A tag without content."""
        self._tag(tag, attributes, "/>", place)

    def close(self, tag: str) -> None:
        """An end tag."""
        self._parts.append(f"</{tag}>")

    def text(self, text: str) -> None:
        """Characters."""
        self._parts.append(escape(text, {"\n": "&#10;"}))

    def copy(self, node: Node, namespaces: Mapping[str, str]) -> None:
        """An element of the source as it is, with the prefixes that mean something there."""
        around: dict[str | None, str] = dict(namespaces.items())
        self._copy(node.element, node.place, around, braces=False)

    def literal(self, element: etree._Element, place: Place) -> None:
        """What an element holds, as elements for the output: braces are no XPath in them."""
        self.text(element.text or "")
        for child in element.iterchildren("*"):
            self._copy(child, place, {}, braces=True)
            self.text(child.tail or "")

    def written(self) -> Stylesheet:
        """All of it."""
        return Stylesheet("".join(self._parts), tuple(self._places), tuple(self._expressions))

    def _tag(self, tag: str, attributes: Mapping[str, str], end: str, place: Place | None) -> None:
        said = " ".join(
            f"{name}={quoteattr(value, {chr(10): '&#10;'})}" for name, value in attributes.items()
        )
        # A complaint names the line on which a tag ends: so each of them gets its own.
        self._parts.append(f"<{tag}\n{said}{end}")
        self._places.append(place)
        if place is not None:
            self._expressions += [(value, place) for value in attributes.values()]

    def _copy(
        self,
        element: etree._Element,
        place: Place,
        around: Mapping[str | None, str],
        *,
        braces: bool,
    ) -> None:
        here = place._replace(line=line_of(element) or place.line, what=_qname(element))
        attributes = {
            f"xmlns:{prefix}" if prefix else "xmlns": uri
            for prefix, uri in element.nsmap.items()
            if around.get(prefix) != uri
        }
        for name, value in element.items():
            text = str(value)
            if braces:
                text = text.replace("{", "{{").replace("}", "}}")
            attributes[_attribute(element, str(name))] = text
        self.open(_qname(element), attributes, here)
        self.text(element.text or "")
        for child in element.iterchildren("*"):
            self._copy(child, place, {**around, **element.nsmap}, braces=braces)
            self.text(child.tail or "")
        self.close(_qname(element))


def _qname(element: etree._Element) -> str:
    name = etree.QName(element).localname
    return f"{element.prefix}:{name}" if element.prefix else name


def _attribute(element: etree._Element, name: str) -> str:
    if not name.startswith("{"):
        return name
    qname = etree.QName(name)
    if qname.namespace == _XML:
        return f"xml:{qname.localname}"
    prefix = next(key for key, uri in element.nsmap.items() if key and uri == qname.namespace)
    return f"{prefix}:{qname.localname}"
