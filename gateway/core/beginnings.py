"""The beginning of a long document, up to shortly behind its first deviation from a schema.

libxml2 cannot be told to stop at an error, and lxml asks for the path of every element it complains
of, which costs more the later it stands: 50,000 errors take 20 seconds. So a long document is first
held against its schema in passing, without a tree; where that finds an error, what comes before it
and a little more is made a document of its own. The errors in there are those of the whole one,
but for what its last elements lack because it was cut.
"""

from __future__ import annotations

import contextlib
import pyexpat
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from lxml import etree

from gateway.core.places import steps_to
from gateway.core.xml import ParsedXml, new_parser

LONG: Final = 5_000
"""Elements from which a document is looked at in passing. Below, all errors are found in time."""

AFTERWARDS: Final = 500
"""Elements that follow the first error and are looked at too: they tell one mistake that is made
everywhere from one that is made once."""

_PIECE: Final = 4096
"""So many bytes are read at a time. Enough for a thousand errors at most."""

_LONG_TEXT: Final = re.compile(rb"(<[^<>]*+>)[^<]{65536,}+(?=<)")
"""Left out in passing: there libxml2 copies a text anew for each piece that it reads of it. It is
looked for behind each tag, not behind each `>`, of which a text may be full."""

_count_elements = etree.XPath("count(//*)")


class Beginning(NamedTuple):
    """A document that ends early: the elements open where it was cut, if it was; its last line."""

    parsed: ParsedXml
    cut: frozenset[etree._Element]
    last_line: int

    def in_full(self, parsed: ParsedXml, element: etree._Element) -> etree._Element:
        """The same element in the whole document."""
        found = parsed.root
        for step in steps_to(element):
            found = found[step]
        return found


def elements_in(parsed: ParsedXml) -> int:
    """How many elements the document has."""
    return int(float(str(_count_elements(parsed.root))))


def faulty_beginning(schema: etree.XMLSchema, parsed: ParsedXml) -> Beginning | None:
    """What begins the document and deviates from the schema already.

    None for a short document, and where none was noticed in passing: that alone proves nothing.
    """
    if len(parsed.data) < 4 * LONG or elements_in(parsed) < LONG:
        return None
    shortened = _LONG_TEXT.sub(rb"\1", parsed.data)
    end = _first_error(schema, shortened)
    if end is None:
        return None
    before = _walk(shortened, lambda _, offset: offset >= end).elements
    walked = _walk(parsed.data, lambda elements, _: elements > before + AFTERWARDS)
    closing = b"".join(b"</%s>" % name.encode() for name in reversed(walked.open))
    data = parsed.data[: walked.offset] + closing
    try:
        root = etree.fromstring(data, new_parser())
    except etree.XMLSyntaxError:
        return None
    return Beginning(
        ParsedXml(root.getroottree(), data),
        _last_elements(root, len(walked.open)),
        parsed.data.count(b"\n", 0, walked.offset) + 1,
    )


class _Nobody:
    """Hears nothing of what a parser reads, so that no tree is made of it."""

    def close(self) -> None:
        """The document has ended."""


def _first_error(schema: etree.XMLSchema, data: bytes) -> int | None:
    """The end of the piece whose reading brought the first deviation; None: there was none."""
    parser = etree.XMLParser(
        target=_Nobody(),  # type: ignore[arg-type]  # all its methods are optional
        schema=schema,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=True,
        encoding="utf-8",
    )
    with contextlib.suppress(etree.XMLSyntaxError):  # known from the log, or broken by shortening
        for start in range(0, len(data), _PIECE):
            parser.feed(data[start : start + _PIECE])
            if _deviates(parser):
                return start + _PIECE
        parser.close()
    return len(data) if _deviates(parser) else None


def _deviates(parser: Any) -> bool:
    log = parser.feed_error_log
    return any(entry.domain == etree.ErrorDomains.SCHEMASV for entry in log)


class _Walked(NamedTuple):
    elements: int
    offset: int
    open: tuple[str, ...]


def _walk(data: bytes, enough: Callable[[int, int], bool]) -> _Walked:
    """Go from element to element until there are enough.

    The answer says how many have begun by then, where the next one begins, and which are still
    open; at the document's end none is. `enough` is told how many there are with the one that
    begins, and where that is.
    """
    parser = pyexpat.ParserCreate("UTF-8")
    names: list[str] = []
    elements = offset = 0

    def start(name: str, _attributes: object) -> None:
        nonlocal elements, offset
        offset = parser.CurrentByteIndex
        if enough(elements + 1, offset):
            raise _Enough
        elements += 1
        names.append(name)

    def end(_name: str) -> None:
        names.pop()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except _Enough:
        return _Walked(elements, offset, tuple(names))
    except pyexpat.ExpatError:
        # The whole document was parsed before: it is the shortened one that broke.
        return _Walked(elements, len(data), ())
    return _Walked(elements, len(data), ())


class _Enough(Exception):
    """Stops the walk."""


def _last_elements(root: etree._Element, count: int) -> frozenset[etree._Element]:
    """The root, its last child, the last child of that, and so on."""
    found: list[etree._Element] = []
    element: etree._Element | None = root
    while element is not None and len(found) < count:
        found.append(element)
        element = element[-1] if len(element) else None
    return frozenset(found)
