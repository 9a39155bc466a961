"""What a Schematron run says: SVRL (ISO/IEC 19757-3, annex D) → one value per rule that fired.

SVRL is written by a stylesheet we know, but it quotes the partner's document: texts are bounded
here, and whatever a reader does with a quoted value is that reader's care.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from lxml import etree

from gateway.errors import RulePackError
from gateway.model.verdict import Language, Severity

SVRL: Final = "http://purl.oclc.org/dsdl/svrl"
UNNAMED: Final = "UNNAMED"
"""The rule of an assertion that its authors gave no id (Factur-X: "marked as not used")."""

PATH: Final = "gateway-path"
"""Where an optimised stylesheet says the place of a finding, as the function path() does."""

SHORT: Final = f"{{{SVRL}}}f"
"""A finding in an optimised stylesheet's report: its place, and `n`, the number of what it says."""

VALUE: Final = f"{{{SVRL}}}v"
"""A value in what such a finding says."""

FINDINGS: Final = (f"{{{SVRL}}}failed-assert", f"{{{SVRL}}}successful-report")
"""The elements of a report that are findings."""

_MAX_TEXT: Final = 2000
# As shut as the one for documents; huge_tree because a report grows with the document it quotes.
_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_LANGUAGES: Final = {language.value: language for language in Language}
_SEVERITIES: Final = {
    "fatal": Severity.ERROR,
    "error": Severity.ERROR,
    "warning": Severity.WARNING,
    "warn": Severity.WARNING,
    "information": Severity.INFO,
    "info": Severity.INFO,
}
_STEP = re.compile(r"/Q\{(.*?)\}([^/\[\]{}]+)(\[\d+\])(?=/Q\{|\Z)")
"""A namespace may be any text, even one like a step: exact, and for short paths only."""
_SHORT_PATH: Final = 1_000
_PLAIN_STEP = re.compile(r"/Q\{([^{}]*+)\}([^/\[\]{}]+)(\[\d+\])(?=/Q\{|\Z)")
"""For long ones, in which a namespace with braces stays as path() spells it."""
_LEADING_ID = re.compile(r"^\[\s*([A-Z][A-Za-z0-9-]*-\d+)\s*\]")


class NothingChecked(RulePackError):
    """A pack has nothing to say about a document: that is not the same as nothing found."""


class Violation(NamedTuple):
    """One failed assertion or successful report. `location` is the XPath as the engine wrote it.

    `words`: language → what the rule's author says in that language, beside the text.
    """

    rule: str
    severity: Severity
    location: str
    text: str
    words: tuple[tuple[Language, str], ...] = ()


def severity_of(flag: str | None, role: str | None = None) -> Severity:
    """What `flag` says, else `role`: the first that is a word for a weight. Without one: error."""
    words = ((word or "").strip().lower() for word in (flag, role))
    return next((_SEVERITIES[word] for word in words if word in _SEVERITIES), Severity.ERROR)


def rule_id(identifier: str | None, text: str) -> str:
    """The rule's id; where the authors left it out, the one its text starts with, or UNNAMED."""
    if identifier and identifier.strip():
        return identifier.strip()
    leading = _LEADING_ID.match(text)
    return leading[1] if leading else UNNAMED


def normalised(text: str) -> str:
    """Runs of white space as one space."""
    return " ".join(text.split())


class Saying(NamedTuple):
    """What all findings of one assertion say. Values come between the `texts`.

    `rule` None: it has no id, and its text, which may begin with one, is not known yet.
    """

    rule: str | None
    severity: Severity
    texts: tuple[str, ...]

    @classmethod
    def of(cls, attributes: Mapping[str, str], texts: tuple[str, ...]) -> Saying:
        """With the attributes that the finding has in SVRL; a text without values is ready."""
        severity = severity_of(attributes.get("flag"), attributes.get("role"))
        rule = (attributes.get("id") or "").strip() or None
        if len(texts) > 1:
            return cls(rule, severity, texts)
        text = _bounded(texts[0])
        return cls(rule or rule_id(None, text), severity, (text,))

    def violation(self, path: str, values: Sequence[str]) -> Violation:
        """What it says of the element at `path`, as the function path() gives it."""
        text = self.texts[0]
        if values:
            pieces = zip(values, self.texts[1:], strict=True)
            text = _bounded(text + "".join(itertools.chain.from_iterable(pieces)))
        return Violation(self.rule or rule_id(None, text), self.severity, _as_shipped(path), text)


def violations(svrl: bytes, sayings: Sequence[Saying] = ()) -> tuple[Violation, ...]:
    """Every rule that fired, in the order of the report.

    `sayings`: what the findings say that are reported in short. Raises RulePackError when this is
    no SVRL, or when no rule at all applied to the document: then nothing was checked, and that is
    not the same as nothing found.
    """
    try:
        root = etree.fromstring(svrl, _PARSER)
    except etree.XMLSyntaxError as error:
        raise RulePackError(
            f"The answer of a rule pack is not XML: {error}.", remedy=_REMEDY
        ) from error
    if root.tag != f"{{{SVRL}}}schematron-output":
        raise RulePackError(
            f"The answer of a rule pack is not SVRL: its root element is {root.tag}.",
            remedy=_REMEDY,
        )
    found = tuple(
        _in_short(element, sayings) if element.tag == SHORT else _violation(element)
        for element in root.iter(SHORT, *FINDINGS)
    )
    if not found and root.find(f"{{{SVRL}}}fired-rule") is None:
        raise NothingChecked(
            "No rule of the pack applies to this document, so nothing was checked.",
            remedy="Name a rule pack of the document's syntax in the chain of the flow.",
        )
    return found


_REMEDY: Final = "Compare the pack's sum: edi-gateway rules."


def _in_short(element: etree._Element, sayings: Sequence[Saying]) -> Violation:
    values = [value.text or "" for value in element] if len(element) else ()
    return sayings[int(element.get("n") or 0)].violation(element.get(PATH) or "/", values)


def _violation(element: etree._Element) -> Violation:
    said: dict[Language | None, list[str]] = {None: []}
    for each in element.iterchildren(f"{{{SVRL}}}text", f"{{{SVRL}}}diagnostic-reference"):
        language = _LANGUAGES.get((each.get(_LANG) or "").partition("-")[0].lower())
        said.setdefault(language, []).append("".join(map(str, each.itertext())))
    text, *words = (_bounded(" ".join(texts)) for texts in said.values())
    text = text or next(iter(words), "")  # who says all in other languages has said something
    return Violation(
        rule=rule_id(element.get("id"), text),
        severity=severity_of(element.get("flag"), element.get("role")),
        location=element.get("location") or _as_shipped(element.get(PATH) or "/"),
        text=text,
        words=tuple(zip(filter(None, said), words, strict=True)),
    )


def _bounded(text: str) -> str:
    text = normalised(text)
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


@functools.lru_cache(maxsize=1024)
def _as_shipped(path: str) -> str:
    """What path() says, in the spelling of the ISO skeleton."""
    step = _STEP if len(path) <= _SHORT_PATH else _PLAIN_STEP
    return step.sub(_spelled, path)


def _spelled(step: re.Match[str]) -> str:
    namespace, name, number = step.groups()
    return f"/*:{name}[namespace-uri()='{namespace}']{number}" if namespace else f"/{name}{number}"
