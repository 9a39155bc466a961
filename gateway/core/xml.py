"""The one XML parser: everything that reads a partner's XML reads what this module let through.

Saxon expands external entities and libxml2 can be told to, so a DOCTYPE is refused before any
of them could see it: no document type, hence no entity, no default attribute, no network. The
encoding is settled first (core.encoding), size, depth and number of elements are bounded.

A good document pays for libxml2 and a few scans; only when something is wrong does an expat pass
(`_diagnose`) find out exactly what, and where: expat needs no memory for the tree, tells a cut-off
file from a broken one, and counts columns in characters.
"""

from __future__ import annotations

import functools
import pyexpat
import re
from typing import Final, TypedDict

from lxml import etree

from gateway.core.encoding import decoding_fault, to_utf8
from gateway.core.explain import own_finding
from gateway.core.places import (
    NOWHERE,
    ParsedXml,
    Place,
    element_at,
    excerpt_around,
    friendly_name,
    friendly_path,
    line_and_column,
    locate,
    locate_all,
    shortened,
)
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding

__all__ = [
    "NOWHERE",
    "ParsedXml",
    "Place",
    "element_at",
    "friendly_name",
    "friendly_path",
    "locate",
    "locate_all",
    "new_parser",
    "parse",
    "size_finding",
]

_WHITE_SPACE: Final = b" \t\r\n"

_MALFORMED_VARIANTS: Final = {
    pyexpat.errors.XML_ERROR_INVALID_TOKEN: "token",
    pyexpat.errors.XML_ERROR_SYNTAX: "token",
    pyexpat.errors.XML_ERROR_TAG_MISMATCH: "tags",
    pyexpat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE: "attribute",
    pyexpat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: "junk",
    pyexpat.errors.XML_ERROR_UNDEFINED_ENTITY: "entity",
    pyexpat.errors.XML_ERROR_BAD_CHAR_REF: "character",
    pyexpat.errors.XML_ERROR_MISPLACED_XML_PI: "declaration",
}
"""expat's message → wording in schemas/findings.toml."""


def new_parser() -> etree.XMLParser:
    """A parser of UTF-8, whatever the document says, that follows no reference."""
    # huge_tree lifts libxml2's limit of 10 MB per text, which attachments exceed; our own limits
    # take its place. Comments and processing instructions go, so that `12<!-- -->34` reads 1234
    # here as it does in XPath.
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
        recover=False,
        encoding="utf-8",
    )


def parse(data: bytes, limits: DocumentLimits) -> ParsedXml | Finding:
    """The document, or the one finding that says why it cannot be read, with its place."""
    if len(data) > limits.max_bytes:
        return size_finding(len(data), limits)
    utf8 = to_utf8(data) if data else data
    if isinstance(utf8, Finding):
        return utf8
    refused = _refused_unread(utf8, limits)
    if refused is not None:
        return refused
    try:
        root = etree.fromstring(utf8, new_parser())
    except etree.XMLSyntaxError as error:
        return _diagnose(utf8, limits) or _libxml2_says(error, utf8)
    if _deeper_than(limits.max_depth)(root):
        return _diagnose(utf8, limits) or own_finding("XML-DEPTH", limit=limits.max_depth)
    tree = root.getroottree()
    if tree.docinfo.internalDTD is not None:
        return own_finding("XML-DOCTYPE")
    return ParsedXml(tree, utf8)


def size_finding(size: int, limits: DocumentLimits) -> Finding:
    """The finding for a document of `size` bytes, which nobody needs to read to refuse."""
    return own_finding("XML-SIZE", size=size, limit=limits.max_bytes)


def _refused_unread(data: bytes, limits: DocumentLimits) -> Finding | None:
    """What plain scans of the bytes can tell before a parser builds anything."""
    first = data[:100].lstrip(_WHITE_SPACE) or data.lstrip(_WHITE_SPACE)[:100]
    if not first:
        return own_finding("XML-EMPTY", size=len(data))
    # Zeros at the very beginning are a file whose room was never filled, not one of another kind.
    if not first.startswith((b"<", b"\0")):
        return own_finding("XML-NOT-XML", line=1, column=1, excerpt=excerpt_around(first, 0))
    nul = data.find(b"\0")
    if nul >= 0:
        line, column = line_and_column(data, nul)
        return own_finding("XML-NUL", line=line, column=column, excerpt=excerpt_around(data, nul))
    if b"<!DOCTYPE" in data:
        return _doctype(data, limits)
    # Upper bounds that cost microseconds; only a document beyond them is counted exactly.
    if data.count(b"<") + data.count(b"=") > limits.max_elements:
        return _too_many(data, limits)
    return None


class _Here(TypedDict):
    line: int
    column: int
    excerpt: str


class _Seen(Exception):
    """Stops an expat pass at the thing it was looking for."""

    def __init__(self, finding: Finding | None = None) -> None:
        super().__init__()
        self.finding = finding


def _doctype(data: bytes, limits: DocumentLimits) -> Finding | None:
    """The finding when the document has a DOCTYPE: not just the word in a comment or a CDATA."""
    parser = pyexpat.ParserCreate("UTF-8")

    def doctype(*_declared: object) -> None:
        # expat calls back at the declaration's end; entities, if any, follow from there.
        entity = data.find(b"<!ENTITY", parser.CurrentByteIndex)
        start = data.rfind(b"<!DOCTYPE", 0, parser.CurrentByteIndex)
        variant, offset = (None, start) if entity < 0 else ("entities", entity)
        line, column = line_and_column(data, max(offset, 0))
        excerpt = shortened(data[offset : offset + 120].decode(errors="replace"))
        raise _Seen(
            own_finding("XML-DOCTYPE", variant=variant, line=line, column=column, excerpt=excerpt)
        )

    def element(*_start: object) -> None:
        raise _Seen

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = element
    try:
        parser.Parse(data, True)
    except _Seen as seen:
        return seen.finding
    except pyexpat.ExpatError:
        # Broken before the root element: no other parser gets to see what comes after.
        return _diagnose(data, limits) or own_finding("XML-DOCTYPE")
    return own_finding("XML-DOCTYPE")


def _too_many(data: bytes, limits: DocumentLimits) -> Finding | None:
    """Count exactly; any other fault is left to the parser proper."""
    found = _diagnose(data, limits)
    return found if found is not None and found.rule in {"XML-ELEMENTS", "XML-DEPTH"} else None


def _diagnose(data: bytes, limits: DocumentLimits) -> Finding | None:
    """What is wrong with the document and where, by one expat pass; None when expat accepts it."""
    fault = decoding_fault(data, "utf-8", "UTF-8")
    if fault is not None:
        return fault
    parser = pyexpat.ParserCreate("UTF-8")
    parser.ordered_attributes = True
    depth = counted = 0

    def here() -> _Here:
        line, column = parser.CurrentLineNumber, parser.CurrentColumnNumber + 1
        excerpt = excerpt_around(data, parser.CurrentByteIndex)
        return {"line": line, "column": column, "excerpt": excerpt}

    def start(_name: str, attributes: list[str]) -> None:
        nonlocal depth, counted
        depth += 1
        counted += 1 + len(attributes) // 2
        if depth > limits.max_depth:
            raise _Seen(own_finding("XML-DEPTH", limit=limits.max_depth, **here()))
        if counted > limits.max_elements:
            raise _Seen(own_finding("XML-ELEMENTS", limit=limits.max_elements, **here()))

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        # Not yet final: an error now is an error wherever the file may end.
        parser.Parse(data, False)
    except _Seen as seen:
        return seen.finding
    except pyexpat.ExpatError as error:
        return _expat_says(error, data, parser.ErrorByteIndex)
    try:
        parser.Parse(b"", True)
    except _Seen as seen:
        return seen.finding
    except pyexpat.ExpatError:
        line, column = line_and_column(data, len(data))
        excerpt = excerpt_around(data, len(data))
        return own_finding("XML-TRUNCATED", line=line, column=column, excerpt=excerpt)
    return None


def _expat_says(error: pyexpat.ExpatError, data: bytes, offset: int) -> Finding:
    reason = pyexpat.ErrorString(error.code)
    return own_finding(
        "XML-MALFORMED",
        variant=_MALFORMED_VARIANTS.get(reason),
        line=error.lineno,
        column=error.offset + 1,
        excerpt=excerpt_around(data, offset),
        reason=reason,
    )


def _namespace_variant(words: str) -> str | None:
    """Which wording fits what libxml2 says about namespaces."""
    if "is not defined" in words:
        return "namespace"
    if "redefined" in words:
        return "attribute"
    return "namespace-declaration" if re.search("xmlns|namespace", words) else None


def _libxml2_says(error: etree.XMLSyntaxError, data: bytes) -> Finding:
    """Namespace errors: expat was not asked about them."""
    line, column = error.position
    start = 0
    for _ in range(line - 1):
        start = data.find(b"\n", start) + 1
    # libxml2 stands behind the tag's name; the tag itself is what people look for.
    offset = max(0, data.rfind(b"<", 0, start + column))
    line, column = line_and_column(data, offset)
    return own_finding(
        "XML-MALFORMED",
        variant=_namespace_variant(str(error.msg)),
        line=line,
        column=column,
        excerpt=excerpt_around(data, offset + 60),
        reason=str(error.msg).partition(", line ")[0],
    )


@functools.cache
def _deeper_than(depth: int) -> etree.XPath:
    """XPath that is true when an element has more than `depth` levels (the root is level 1).

    Each level is one step over the elements left, so the cost is one visit per element.
    """
    return etree.XPath("boolean(" + "/*" * (depth + 1) + ")")
