"""Which rules a stylesheet holds, and how two stylesheets differ: what an update really changes.

Reads the compiled Schematron (ISO skeleton output) without running it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from lxml import etree

from gateway.core.schematron.svrl import SVRL, normalised, rule_id, severity_of
from gateway.errors import RulePackError
from gateway.model.verdict import Severity

_XSL: Final = "http://www.w3.org/1999/XSL/Transform"
_ASSERTIONS: Final = (f"{{{SVRL}}}failed-assert", f"{{{SVRL}}}successful-report")


class Assertion(NamedTuple):
    """One assertion. In `text`, `{…}` stands for a value of the document; `test` is XPath."""

    rule: str
    severity: Severity
    text: str
    test: str


class Change(StrEnum):
    """How a rule of one stylesheet differs in another."""

    REMOVED = "only in the first"
    ADDED = "only in the second"
    SEVERITY = "severity"
    TEXT = "text"
    TEST = "test"


class Difference(NamedTuple):
    """One rule that changed. `before` and `after` are what changed; "" where there is none."""

    rule: str
    change: Change
    before: str
    after: str


class Tally(NamedTuple):
    """How many rules are not the same in two stylesheets."""

    added: int
    removed: int
    changed: int

    def __str__(self) -> str:
        """In words."""
        return f"{self.added} added, {self.removed} removed, {self.changed} changed"


def tally(found: Iterable[Difference]) -> Tally:
    """The differences, counted by rule."""
    changes = {difference.rule: difference.change for difference in found}
    added, removed = (
        sum(change is wanted for change in changes.values())
        for wanted in (Change.ADDED, Change.REMOVED)
    )
    return Tally(added, removed, len(changes) - added - removed)


def assertions(stylesheet: bytes) -> tuple[Assertion, ...]:
    """Every assertion, in the order of the stylesheet. Raises RulePackError when it is no XML."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    try:
        root = etree.fromstring(stylesheet, parser)
    except etree.XMLSyntaxError as error:
        raise RulePackError(
            f"This is no stylesheet: {error}.", remedy="Name a compiled Schematron (.xslt)."
        ) from error
    return tuple(_assertion(element) for element in root.iter(*_ASSERTIONS))


def differences(first: bytes, second: bytes) -> tuple[Difference, ...]:
    """Every rule that is not the same in both, sorted by rule.

    A rule with several assertions is compared as a whole: all its severities, texts and tests.
    Raises RulePackError when one of the two is no XML.
    """
    before, after = _by_rule(first), _by_rule(second)
    found = []
    for rule in sorted(before.keys() | after.keys()):
        old, new = before.get(rule), after.get(rule)
        if old is None or new is None:
            change = Change.ADDED if old is None else Change.REMOVED
            found.append(Difference(rule, change, _texts(old), _texts(new)))
            continue
        for what, was, now in (
            (Change.SEVERITY, _severities(old), _severities(new)),
            (Change.TEXT, _texts(old), _texts(new)),
            (Change.TEST, _tests(old), _tests(new)),
        ):
            if was != now:
                found.append(Difference(rule, what, was, now))
    return tuple(found)


def _assertion(element: etree._Element) -> Assertion:
    attributes = {str(name): str(value) for name, value in element.items()} | {
        child.get("name", ""): normalised("".join(map(str, child.itertext())))
        for child in element.iterchildren(f"{{{_XSL}}}attribute")
    }
    text_element = element.find(f"{{{SVRL}}}text")
    text = "" if text_element is None else normalised(_template(text_element))
    return Assertion(
        rule=rule_id(attributes.get("id"), text),
        severity=severity_of(attributes.get("flag"), attributes.get("role")),
        text=text,
        test=normalised(element.get("test") or ""),
    )


def _template(element: etree._Element) -> str:
    parts = [element.text or ""]
    for child in element.iterchildren("*"):
        if child.tag == f"{{{_XSL}}}value-of":
            parts.append("{" + normalised(child.get("select") or "") + "}")
        else:
            parts.append(_template(child))
        parts.append(child.tail or "")
    return "".join(parts)


def _by_rule(stylesheet: bytes) -> dict[str, list[Assertion]]:
    rules: defaultdict[str, list[Assertion]] = defaultdict(list)
    for assertion in assertions(stylesheet):
        rules[assertion.rule].append(assertion)
    return dict(rules)


def _severities(found: list[Assertion]) -> str:
    return ", ".join(sorted(assertion.severity.value for assertion in found))


def _texts(found: list[Assertion] | None) -> str:
    return " | ".join(sorted(assertion.text for assertion in found or ()))


def _tests(found: list[Assertion]) -> str:
    return " | ".join(sorted(assertion.test for assertion in found))
