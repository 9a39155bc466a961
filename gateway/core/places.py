"""Where in the bytes an element stands: line, column and the element as written.

libxml2 forgets columns, and bulk files often stand on one line. So an element is found again by its
number in document order: in well-formed XML a `<` that opens no comment, CDATA section or
processing instruction opens or closes an element (a document type is refused long before). The
places where elements begin are noted once per document, and never for a document nobody complains
about.
"""

from __future__ import annotations

import array
import re
from collections.abc import Iterable
from typing import Final, NamedTuple, cast

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
_BEGINNING = re.compile(rb"<(?:([^/!?])|!--.*?-->|!\[CDATA\[.*?\]\]>|\?.*?\?>)", re.DOTALL)
"""The beginning of an element (group 1), or what only looks as if it held one."""
_TAG = re.compile(
    rb"""<(?: !--.*?(?:-->|\Z) | !\[CDATA\[.*?(?:\]\]>|\Z) | \?.*?(?:\?>|\Z)
      | (?P<closing>/)[^<>]*>
      | (?P<name>[^\s<>/!?])(?:[^<>"']++|"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))*+> )""",
    re.DOTALL | re.VERBOSE,
)
_NUMBER = etree.XPath("count(preceding::*) + count(ancestor::*)")
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


NOWHERE: Final = Place(None, None, None)
"""The place of what cannot be found."""


class ParsedXml:
    """A document that core.xml found safe to work with.

    `data` is the document in UTF-8 without byte order mark: what may be handed to another
    parser. `tree` has no comments and no processing instructions, so an element's text is whole.
    `for_rules` is `data`, unless something in it is kept away from the rules (core.attachments).
    """

    def __init__(self, tree: etree._ElementTree, data: bytes) -> None:
        self.tree = tree
        self.data = self.for_rules = data
        self._beginnings: array.array[int] | None = None

    @property
    def root(self) -> etree._Element:
        """The document element."""
        return self.tree.getroot()

    @property
    def beginnings(self) -> array.array[int]:
        """Byte offsets of all elements in document order; looked for at the first question."""
        if self._beginnings is None:
            found = _BEGINNING.finditer(self.data)
            starts = [each.start() for each in found if each.lastindex]
            self._beginnings = array.array("Q", starts)
        return self._beginnings


def locate(parsed: ParsedXml, element: etree._Element | None) -> Place:
    """Line, column and excerpt of an element; `NOWHERE` without one.

    A finding without its place is worth more than none.
    """
    if element is None:
        return NOWHERE
    number = int(cast("float", _NUMBER(element)))
    return _places(parsed, {element: number}).get(element, NOWHERE)


def locate_all(
    parsed: ParsedXml, elements: Iterable[etree._Element]
) -> dict[etree._Element, Place]:
    """Line, column and excerpt of many elements in one pass over the document.

    Those that are not of this document are left out.
    """
    wanted = set(elements)
    numbers: dict[etree._Element, int] = {}
    if wanted:
        for number, element in enumerate(parsed.root.iter("*")):
            if element in wanted:
                numbers[element] = number
                if len(numbers) == len(wanted):
                    break
    return _places(parsed, numbers)


def _places(parsed: ParsedXml, numbers: dict[etree._Element, int]) -> dict[etree._Element, Place]:
    """The places of elements with their numbers, which are in document order."""
    data, beginnings = parsed.data, parsed.beginnings
    places = {}
    line, counted = 1, 0
    for element, number in numbers.items():
        if number >= len(beginnings):
            break
        offset = beginnings[number]
        line += data.count(b"\n", counted, offset)
        counted = offset
        places[element] = Place(line, _column(data, offset), excerpt_at(data, offset))
    return places


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
    return data.count(b"\n", 0, offset) + 1, _column(data, offset)


def _column(data: bytes, offset: int) -> int:
    start = data.rfind(b"\n", 0, offset) + 1
    return len(data[start:offset].decode("utf-8", errors="replace")) + 1


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
    depth = 0
    for tag in _TAG.finditer(window):
        if tag["closing"]:
            depth -= 1
        elif tag["name"] and not tag[0].endswith(b"/>"):
            depth += 1
        if depth == 0:
            return tag.end()
    return len(window)


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
