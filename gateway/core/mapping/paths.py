"""The paths of a mapping table: a small part of XPath 1.0, parsed once and walked forwards.

    cac:Party/cac:PartyTaxScheme[cac:TaxScheme/cbc:ID='VAT']/cbc:CompanyID/@schemeID

Child steps, a last attribute, "." for the element itself, leading ".." (only for values that
stand beside an element), and conditions in brackets. So little is allowed on purpose: the
document can be read in one walk, and the same paths can be written as well as read.
Comparisons ignore case and surrounding white space, as CEN's own rules do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

import msgspec
from lxml import etree

WHITE_SPACE: Final = " \t\r\n"
"""What XML calls white space: a no-break space is content."""

_QNAME = r"[A-Za-z_][\w.-]*:[A-Za-z_][\w.-]*"
_STEP = re.compile(rf"(?P<name>{_QNAME})|@(?P<attribute>[A-Za-z_][\w.-]*)|(?P<self>\.)(?!\.)|\.\.")
_TEST = re.compile(
    r"(?P<path>[^=!\s]+)\s*"
    r"(?:(?P<operator>!?=)\s*(?:'(?P<text>[^']*)'|(?P<boolean>true|false)\(\)|\$(?P<term>[\w-]+)))?"
)
_TRUTH: Final = {"true": frozenset({"TRUE", "1"}), "false": frozenset({"FALSE", "0"})}


class PathError(ValueError):
    """A path that this little language does not know. The message says what is wrong."""


class Condition(msgspec.Struct, frozen=True):
    """One bracket. With `term`, the value to compare with is that of a business term.

    `values` are compared in upper case; with operator `exists` there is nothing to compare.
    `text` is what makes it true when it is written.
    """

    steps: tuple[str, ...]
    attribute: str | None
    operator: Literal["exists", "=", "!="]
    values: frozenset[str] = frozenset()
    term: str | None = None
    negated: bool = False
    text: str | None = None

    def test(self) -> Callable[[etree._Element, Mapping[str, str]], bool]:
        """Whether an element satisfies this, given the values of terms (in upper case)."""
        steps, attribute, operator = self.steps, self.attribute, self.operator
        values, term, wanted = self.values, self.term, not self.negated

        def holds(element: etree._Element, terms: Mapping[str, str]) -> bool:
            if term is not None:
                known = terms.get(term)
                expected = frozenset() if known is None else frozenset({known})
            else:
                expected = values
            for found in _values(element, steps, attribute):
                if operator == "exists":
                    return wanted
                if (found.strip(WHITE_SPACE).upper() in expected) is (operator == "="):
                    return wanted
            return not wanted

        return holds


class Step(msgspec.Struct, frozen=True):
    """A child element, by its name in Clark notation, that satisfies every condition."""

    tag: str
    conditions: tuple[Condition, ...] = ()


class Path(msgspec.Struct, frozen=True):
    """From an element `up` levels, down the steps, to an attribute or the element's text."""

    steps: tuple[Step, ...]
    attribute: str | None = None
    up: int = 0

    def first_value(self, element: etree._Element) -> str | None:
        """The first value that is not empty; for paths without conditions."""
        start: etree._Element | None = element
        for _ in range(self.up):
            start = None if start is None else start.getparent()
        if start is None:
            return None
        for value in _values(start, tuple(step.tag for step in self.steps), self.attribute):
            if trimmed := value.strip(WHITE_SPACE):
                return trimmed
        return None


def parse_path(text: str, prefixes: Mapping[str, str]) -> Path:
    """The path that `text` writes. Raises PathError, which says what is wrong."""
    steps: list[Step] = []
    attribute: str | None = None
    up = 0
    for part in _split(text):
        name, conditions = _conditions(part, prefixes)
        match = _STEP.fullmatch(name)
        if match is None:
            raise PathError(f"“{name}” is not a step: write prefix:Name, @attribute, . or ..")
        if attribute is not None:
            raise PathError(f"nothing can follow the attribute @{attribute}")
        if match["name"]:
            steps.append(Step(_clark(name, prefixes), conditions))
        elif conditions:
            raise PathError(f"“{name}” cannot have a condition")
        elif match["attribute"]:
            attribute = match["attribute"]
        elif not match["self"]:
            if steps:
                raise PathError(".. can only stand at the beginning")
            up += 1
    return Path(tuple(steps), attribute, up)


def text_of(element: etree._Element) -> str:
    """The text content, trimmed; of a schema-valid leaf that is all it holds."""
    text: str | None = element.text
    if len(element):  # comments, or markup where the schema allows none: XPath's string()
        text = str(element.xpath("string()"))
    return text.strip(WHITE_SPACE) if text else ""


def _values(
    element: etree._Element, steps: tuple[str, ...], attribute: str | None
) -> Iterator[str]:
    if steps:
        for child in element.iterchildren(steps[0]):
            yield from _values(child, steps[1:], attribute)
    elif attribute is None:
        yield text_of(element)
    elif (value := element.get(attribute)) is not None:
        yield str(value)


def _split(text: str) -> list[str]:
    """The steps: what stands between slashes that are not in brackets."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if depth < 0:
            break
        if character == "/" and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    if depth != 0:
        raise PathError("the brackets do not match")
    return [*parts, text[start:]]


def _conditions(step: str, prefixes: Mapping[str, str]) -> tuple[str, tuple[Condition, ...]]:
    name, bracket, rest = step.partition("[")
    if not bracket:
        return name, ()
    if not rest.endswith("]"):
        raise PathError(f"something follows the brackets of “{name}”")
    return name, tuple(_condition(test, prefixes) for test in rest[:-1].split("]["))


def _condition(text: str, prefixes: Mapping[str, str]) -> Condition:
    negated = text.startswith("not(") and text.endswith(")")
    match = _TEST.fullmatch(text[4:-1] if negated else text)
    if match is None:
        raise PathError(f"[{text}] is not a condition this table knows")
    path = parse_path(match["path"], prefixes)
    if path.up or any(step.conditions for step in path.steps):
        raise PathError(f"[{text}] may only look at children and attributes")
    values: frozenset[str] = frozenset()
    if match["text"] is not None:
        values = frozenset({match["text"].strip(WHITE_SPACE).upper()})
    elif match["boolean"]:
        values = _TRUTH[match["boolean"]]
    operator: Literal["exists", "=", "!="] = "exists"
    if match["operator"]:
        operator = "=" if match["operator"] == "=" else "!="
    steps = tuple(step.tag for step in path.steps)
    written = match["text"] or match["boolean"]
    return Condition(steps, path.attribute, operator, values, match["term"], negated, written)


def _clark(name: str, prefixes: Mapping[str, str]) -> str:
    prefix, _, local = name.partition(":")
    if prefix not in prefixes:
        raise PathError(f"the prefix “{prefix}” is not in [prefixes]")
    return f"{{{prefixes[prefix]}}}{local}"
