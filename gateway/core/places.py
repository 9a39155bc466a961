"""Where in the bytes an element stands: line, column and the element as written.

libxml2 forgets columns, and bulk files often stand on one line. When there is something to say
about a document, one pass of expat notes the byte offset of every element; it is done once per
document, and never for a document nobody complains about.
"""

from __future__ import annotations

import array
import contextlib
import pyexpat
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from lxml import etree

BINARY_ELEMENTS: Final = frozenset({"EmbeddedDocumentBinaryObject", "AttachmentBinaryObject"})
"""Elements that hold attachments as base64 (BT-125)."""

MAX_EXCERPT: Final = 160

PREFIXES: Final = {
    "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2": "cbc",
    "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2": "cac",
    "urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2": "ext",
    "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100": "rsm",
    "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100": "ram",
    "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100": "udt",
    "urn:un:unece:uncefact:data:standard:QualifiedDataType:100": "qdt",
}
"""Prefixes every invoice example uses, whatever the document at hand chose."""

_PREFIXLESS: Final = frozenset(
    {
        "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2",
        "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2",
    }
)
_NAMESPACE_DECLARATION = re.compile(r"""\sxmlns(?::[\w.-]+)?\s*=\s*(?:"[^"]*"|'[^']*')""")
"""Left out of excerpts: five of them would leave no room for what is wrong."""
_LEAF = re.compile(rb"<([^\s<>/]+)(?:\s[^<>]*[^<>/])?>[^<]*</\1\s*>")
"""An element with nothing but text in it, as most are. (A `>` in an attribute does no harm.)"""
_WINDOWS: Final = (700, 4000)
"""So many bytes are looked at for an excerpt: the first mostly fill it."""
_LONG_WORD: Final = 48
_BASE64 = re.compile(rf"[A-Za-z0-9+/=]{{{_LONG_WORD},}}(?:\s+[A-Za-z0-9+/=]{{20,}})*")


class Place(NamedTuple):
    """A position in the document as received, both 1-based, and what is written there."""

    line: int | None
    column: int | None
    excerpt: str | None


class _Offsets:
    """Byte offset of every element, level by level.

    The children of one element stand next to each other in their level, so a path of child
    numbers leads to an offset in as many steps as it is long.
    """

    def __init__(self, data: bytes) -> None:
        self.levels: list[array.array[int]] = [array.array("Q")]
        self.first_child: list[array.array[int]] = [array.array("Q")]
        self._depth = 0
        self._parser = pyexpat.ParserCreate("UTF-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.Parse(data, True)
        del self._parser

    def _start(self, _name: str, _attributes: dict[str, str]) -> None:
        depth = self._depth
        self._depth = depth + 1
        if depth + 1 == len(self.levels):
            self.levels.append(array.array("Q"))
            self.first_child.append(array.array("Q"))
        self.levels[depth].append(self._parser.CurrentByteIndex)
        self.first_child[depth].append(len(self.levels[depth + 1]))

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def offset(self, steps: Sequence[int]) -> int:
        """Offset of the element the child numbers (0-based, from the root) lead to."""
        index = 0
        for depth, step in enumerate(steps):
            index = self.first_child[depth][index] + step
        return self.levels[len(steps)][index]


class ParsedXml:
    """A document that core.xml found safe to work with.

    `data` is the document in UTF-8 without byte order mark: what may be handed to another
    parser. `tree` has no comments and no processing instructions, so an element's text is whole.
    `for_rules` is `data`, unless something in it is kept away from the rules (core.attachments).
    """

    def __init__(self, tree: etree._ElementTree, data: bytes) -> None:
        self.tree = tree
        self.data = self.for_rules = data
        self._offsets: _Offsets | None = None

    @property
    def root(self) -> etree._Element:
        """The document element."""
        return self.tree.getroot()

    @property
    def offsets(self) -> _Offsets:
        """Where the elements are; the pass over the document happens at the first question."""
        if self._offsets is None:
            self._offsets = _Offsets(self.data)
        return self._offsets


def locate(parsed: ParsedXml, where: etree._Element | Sequence[int] | None) -> Place:
    """Line, column and excerpt of an element, given itself or its child numbers from the root.

    A place that cannot be found (the element is not of this document) is all None: a finding
    without its place is worth more than none.
    """
    if where is None:
        return Place(None, None, None)
    steps = steps_to(where) if isinstance(where, etree._Element) else where
    try:
        offset = parsed.offsets.offset(steps)
    except (IndexError, pyexpat.ExpatError):
        return Place(None, None, None)
    line, column = line_and_column(parsed.data, offset)
    return Place(line, column, excerpt_at(parsed.data, offset))


def steps_to(element: etree._Element) -> tuple[int, ...]:
    """Child numbers (0-based) that lead from the root to the element."""
    steps: list[int] = []
    parent = element.getparent()
    while parent is not None:
        steps.append(parent.index(element))
        element, parent = parent, parent.getparent()
    return tuple(reversed(steps))


def line_and_column(data: bytes, offset: int) -> tuple[int, int]:
    """1-based line and column (in characters) of a byte offset in UTF-8 data."""
    start = data.rfind(b"\n", 0, offset) + 1
    column = len(data[start:offset].decode("utf-8", errors="replace")) + 1
    return data.count(b"\n", 0, offset) + 1, column


def excerpt_at(data: bytes, offset: int) -> str:
    """The element that starts at `offset`, as written, on one line, without attachments."""
    excerpt = ""
    for size in _WINDOWS:
        window = data[offset : offset + size]
        end = _element_end(window)
        excerpt = _excerpt(window[:end].decode("utf-8", errors="ignore"))
        if end < len(window) or len(excerpt) == MAX_EXCERPT:
            break  # more of the document would show nothing else
    return excerpt


def _excerpt(text: str) -> str:
    name = re.match(r"<(?:[^\s<>/:]+:)?([^\s<>/:]+)", text)
    if name is not None and name[1] in BINARY_ELEMENTS:
        text = text.partition(">")[0] + ">…"
    if "xmlns" in text:
        text = _NAMESPACE_DECLARATION.sub("", " ".join(text.split()))
    return shortened(text)


def excerpt_around(data: bytes, offset: int) -> str:
    """What is written around a byte offset where there is no element to show."""
    return shortened(data[max(0, offset - 60) : offset + 60].decode("utf-8", errors="ignore"))


def shortened(text: str) -> str:
    """White space collapsed, base64 cut out, control characters dropped, at most 160 long."""
    # So many words are more than there is room for: the rest of a long text is not looked at.
    words = text.split(maxsplit=MAX_EXCERPT)[:MAX_EXCERPT]
    text = " ".join(words)
    if any(len(word) >= _LONG_WORD for word in words):
        text = _BASE64.sub(lambda found: found[0][:12] + "…", text)
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable())
    return text if len(text) <= MAX_EXCERPT else text[: MAX_EXCERPT - 1] + "…"


def _element_end(window: bytes) -> int:
    """Length of the element the window starts with; the whole window when it does not end."""
    leaf = _LEAF.match(window)
    if leaf is not None:
        return leaf.end()
    parser = pyexpat.ParserCreate("UTF-8")
    depth = 0
    end = len(window)

    def start(_name: str, _attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1

    def finish(_name: str) -> None:
        nonlocal depth, end
        depth -= 1
        if depth == 0:
            end = parser.CurrentByteIndex
            if window.startswith(b"</", end):  # else <empty/>: expat stands behind it already
                end = window.find(b">", end) + 1 or len(window)
            raise _EndFound

    parser.StartElementHandler = start
    parser.EndElementHandler = finish
    with contextlib.suppress(_EndFound, pyexpat.ExpatError):
        parser.Parse(window, False)
    return end


class _EndFound(Exception):
    """Stops the parser: the rest of the window is of no interest."""


def friendly_path(element: etree._Element) -> str:
    """The element's XPath with the usual prefixes: /Invoice/cac:LegalMonetaryTotal[1]."""
    steps: list[str] = []
    current: etree._Element | None = element
    while current is not None:
        parent = current.getparent()
        step = friendly_name(current.tag, current.prefix)
        if parent is not None:
            twins = current.itersiblings(current.tag, preceding=True)
            step += f"[{1 + sum(1 for _ in twins)}]"
        steps.append(step)
        current = parent
    return "/" + "/".join(reversed(steps))


def friendly_name(tag: str, own_prefix: str | None = None) -> str:
    """`{namespace}Name` → `cbc:Name`; an unknown namespace keeps the document's own prefix."""
    # Not lxml's QName: that raises on names that stand in a message but not in a document.
    namespace, _, name = tag.rpartition("}")
    if namespace[1:] in _PREFIXLESS:
        return name
    prefix = PREFIXES.get(namespace[1:], own_prefix)
    return f"{prefix}:{name}" if prefix else name


_STEP = re.compile(
    r"""/(?: Q\{(?P<uri>[^}]*)\}(?P<q>[^\[/@]+)
          | (?:(?P<prefix>[^\[/@:*]+|\*):)?(?P<name>[^\[/@:*]+|\*) )
        (?P<predicates>(?:\[[^\]]*\])*)""",
    re.VERBOSE,
)
_LOCAL_NAME = re.compile(r"local-name\(\)\s*=\s*(?:'([^']*)'|\"([^\"]*)\")")
_NAMESPACE = re.compile(r"namespace-uri\(\)\s*=\s*(?:'([^']*)'|\"([^\"]*)\")")
_POSITION = re.compile(r"\[\s*(?:position\(\)\s*=\s*)?(\d+)\s*\]")


def element_at(parsed: ParsedXml, location: str) -> etree._Element | None:
    """The element an SVRL `location` names (of an attribute: its element), or None.

    Understands what Schematron engines write, XPath 2 included, as libxml2 does not: steps as
    `*:Name[namespace-uri()='…'][2]`, `cac:Name[2]`, `*[local-name()='Name'][2]`, `Q{uri}Name[2]`.
    """
    path = location.partition("/@")[0].rstrip()
    if path == "/":
        return parsed.root
    candidates: list[etree._Element] = [parsed.root]
    found: etree._Element | None = None
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return None
        position = step.end()
        name, namespace, number = _step_meaning(step)
        matching = (
            child for child in candidates if _is_named(child, name, namespace, step["prefix"])
        )
        found = next((child for at, child in enumerate(matching, start=1) if at == number), None)
        if found is None:
            return None
        candidates = found  # type: ignore[assignment]  # an element iterates over its children
    return found


def _step_meaning(step: re.Match[str]) -> tuple[str, str | None, int]:
    """Local name (or *), namespace (None: any) and position of one step."""
    predicates = step["predicates"] or ""
    name = step["q"] or step["name"]
    namespace = step["uri"]
    if wanted := _LOCAL_NAME.search(predicates):
        name = wanted[1] or wanted[2]
    if wanted := _NAMESPACE.search(predicates):
        namespace = wanted[1] if wanted[1] is not None else wanted[2]
    position = _POSITION.search(predicates)
    return name, namespace, int(position[1]) if position else 1


def _is_named(
    element: etree._Element, name: str, namespace: str | None, prefix: str | None
) -> bool:
    # Not lxml's QName: there may be a hundred thousand siblings to look at.
    actual, _, local = str(element.tag).rpartition("}")
    if name not in {"*", local}:
        return False
    if namespace is not None:
        return actual[1:] == namespace
    if prefix is not None and prefix != "*":
        return prefix == element.prefix or prefix == PREFIXES.get(actual[1:])
    return True
