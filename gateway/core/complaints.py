"""What libxml2 and xmlschema say of a document, as deviations from its schema.

Both speak to developers, in English and with whole namespaces. What a sentence for people needs is
taken out of their words here: what was expected, which attribute, which codes a value may have.
"""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

from gateway.core.deviations import Deviation
from gateway.core.xml import friendly_name

_CLARK = re.compile(r"\{[^{}\s:]*+:[^{}\s]*+\}[\w.-]+")
_SUBJECT = re.compile(r"^Element '[^']*'(?:, (?=attribute)|: )")
_ATTRIBUTE = re.compile(r"[Aa]ttribute '([^']+)'|'([^']+)' attribute")
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (.*) \)\.?$")
_ALLOWED = re.compile(
    r"\[facet 'enumeration'\].*? set \{(.{0,2000})\}|must be one of \[(.{0,2000})\]"
)
_TYPE = re.compile(r"(?:atomic type '|for |datatypes\.\w+\.)(?:xs:)?(?P<type>[A-Za-z]+)")


def from_libxml2(subject: etree._Element | None, message: str) -> Deviation:
    """One error of libxml2; `subject` is the element it names."""
    reason = _SUBJECT.sub("", tidy(message))
    listed = _EXPECTED.search(" ".join(message.split()))
    expected = tuple(_CLARK.findall(listed[1])) if listed else ()
    if "is not expected" in reason:
        return Deviation(subject, reason, child=True, expected=expected)
    if "Missing child element" in reason:
        return Deviation(subject, reason, variant="missing", expected=expected)
    return _other(subject, reason, message)


def _other(subject: etree._Element | None, reason: str, message: str) -> Deviation:
    """A deviation that is not about which elements there are."""
    listed = _ALLOWED.search(reason)
    codes = re.findall(r"'([^']*)'", listed[1] or listed[2]) if listed else ()
    return Deviation(
        subject,
        reason,
        variant=_kind(message, subject),
        allowed=tuple(codes),
        attribute=_attribute(reason),
    )


def _kind(words: str, subject: etree._Element | None) -> str | None:
    """Which wording fits a deviation that is not about the order of elements."""
    if "nillable" in words:
        return None
    if "attribute '" in words or "' attribute" in words:
        return "attribute-missing" if "missing" in words else "attribute"
    if "haracter content" in words or "character data" in words:
        return "text"
    if subject is None or len(subject):
        return None
    if _ALLOWED.search(words):
        return "code"
    kind = _TYPE.search(words)
    return _KINDS.get(kind["type"].lower(), "value") if kind else "value"


_KINDS: Final = {
    "date": "date",
    "decimal": "number",
    "integer": "number",
    "boolean": "boolean",
}
"""Types of XML Schema that have words of their own."""


def _attribute(reason: str) -> str:
    """The attribute a reason is about, or nothing."""
    named = _ATTRIBUTE.search(reason)
    return (named[1] or named[2]) if named else ""


def from_xmlschema(error: Any, words: dict[etree._Element | None, Deviation]) -> Deviation:
    """`error`: an XMLSchemaValidationError. `words`: libxml2's account by element."""
    child = getattr(error, "invalid_child", None)
    subject = error.elem if child is None else child
    said = words.get(subject)
    reason = said.reason if said is not None else tidy(str(error.reason))
    particles = getattr(error, "expected", None) or ()
    expected = tuple(name for particle in particles if (name := getattr(particle, "name", None)))
    if not expected and said is not None:
        expected = said.expected
    if child is not None:
        return Deviation(subject, reason, child=True, expected=expected, model=_model(error))
    if hasattr(error, "occurs") and expected:
        return Deviation(subject, reason, variant="missing", expected=expected)
    if said is not None:
        if said.variant == "value":
            # libxml2 does not always name the type; xmlschema does, and for all errors alike.
            said.variant = _kind(str(error.reason), said.subject)
        return said
    return _other(subject, reason, reason)


def _model(error: Any) -> tuple[str, ...] | None:
    """The names of all elements the parent of a misplaced one may hold, in the schema's order."""
    elements = getattr(error.validator, "iter_elements", None)
    if elements is None:
        return None
    return tuple(name for particle in elements() if (name := getattr(particle, "name", None)))


def tidy(message: str) -> str:
    """`{urn:…}Name` → `cbc:Name`; one line."""
    named = _CLARK.sub(lambda found: friendly_name(found[0]), message)
    return " ".join(named.split())
