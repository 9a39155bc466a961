"""Computes once what rules ask again for every line: expressions that depend on no node at hand.

    not($amount) or custom:special(/ubl:Invoice) and …      for each of ten thousand lines

`custom:special(/ubl:Invoice)` is the same for all of them; but to answer it, the engine goes past
all lines, which makes the whole quadratic. Such an expression becomes a global variable, computed
when first asked for, and not at all if nobody asks. It is moved as it stands: whatever it means,
and however it fails, it means and fails the same there, if

- it does not speak of the context item, of local variables, or of functions that might;
- `/` is the same document there: expressions that might touch a second one, through a parameter,
  a tree of the stylesheet's own or a function not known, stay where they are;
- its prefixes mean the same at the root of the stylesheet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Final

from lxml import etree

from gateway.core.schematron.skeleton import Rule, Skeleton
from gateway.core.schematron.vocabulary import XSL
from gateway.core.schematron.xpath import parse
from gateway.core.schematron.xpath_parts import PURE, Expression

_X: Final = f"{{{XSL}}}"
_PREFIX: Final = re.compile(r"(?<![\w.$-])([^\W\d][\w.-]*):(?=[^\W\d*])")
_STRINGS: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
_ONCE: Final = re.compile(r"\s*/[\w:.-]+\s*(?:\|\s*/[\w:.-]+\s*)*")
_NAMES: Final = re.compile(r"[^\W\d][\w.:-]*")
_OPENS: Final = re.compile(
    r"(?<![\w:.-])(?:document|doc|collection|uri-collection|parse-xml|parse-xml-fragment"
    r"|json-to-xml|transform|copy-of|snapshot)\s*\("
)
_RANGING: Final = re.compile(r"\$([\w:.-]+)\s+in\b")
_NAME: Final = "gateway-once-{}"


def hoist(stylesheet: etree._Element, skeleton: Skeleton) -> int:
    """Move what can be moved out of the rules' tests and variables; return how many moved."""
    return _Hoisting(stylesheet, skeleton).done()


class _Hoisting:
    def __init__(self, stylesheet: etree._Element, skeleton: Skeleton) -> None:
        self._stylesheet = stylesheet
        self._rules = [rule for pattern in skeleton.patterns for rule in pattern.rules]
        self._globals = _global_names(stylesheet)
        self._strange = _strange(stylesheet)
        self._functions = {
            function.get("name") or "" for function in stylesheet.iterchildren(f"{_X}function")
        } - self._strange
        self._moved: dict[str, str] = {}

    def done(self) -> int:
        for rule in self._rules:
            for element, attribute in _places(rule):
                self._rewrite(element, attribute, often=not _fires_once(rule))
        for text, name in self._moved.items():
            etree.SubElement(self._stylesheet, f"{_X}variable", name=name, select=text)
        return len(self._moved)

    def _rewrite(self, element: etree._Element, attribute: str, *, often: bool) -> None:
        text = element.get(attribute) or ""
        whole = parse(text) if "/" in text else None
        if whole is None or not self._at_home(whole, text, element):
            return
        for found in sorted(self._closed(whole, often=often), key=lambda part: -part.start):
            moved = text[found.start : found.end]
            name = self._moved.setdefault(moved, _NAME.format(len(self._moved) + 1))
            text = f"{text[: found.start]}(${name}){text[found.end :]}"
        element.set(attribute, text)

    def _closed(self, part: Expression, *, often: bool) -> Iterator[Expression]:
        """The largest parts that can be computed anywhere, of those that are asked for often.

        A rule about the root is asked once; but what it says of each line, it asks for each line.
        """
        if not part.root:
            return
        found = next(filter(self._is_closed, (part, *_beginning(part))), None) if often else None
        if found is not None:
            yield found
        if found is not part:
            for number, inner in enumerate(part.parts):
                again = number > 0 and part.kind in ("for", "filter", "path")
                yield from self._closed(inner, often=often or again)

    def _is_closed(self, part: Expression) -> bool:
        return (
            not part.focus
            and part.kind != "root"
            and part.variables <= self._globals
            and all(self._is_pure(name) for name in part.calls)
        )

    def _is_pure(self, call: str) -> bool:
        return call in PURE or call in self._functions or call.startswith(("xs:", "xsd:"))

    def _at_home(self, whole: Expression, text: str, element: etree._Element) -> bool:
        """Only one document is spoken of, and prefixes mean the same at the root."""
        same_document = (
            not whole.variables & self._strange
            and all(self._is_pure(call) or call in _OF_THE_NODE for call in whole.calls)
            and next(element.iterancestors(f"{_X}for-each"), None) is None
        )
        prefixes = set(_PREFIX.findall(_STRINGS.sub(" ", text))) - _AXES
        here, there = element.nsmap, self._stylesheet.nsmap
        return same_document and all(here.get(name) == there.get(name) for name in prefixes)


_OF_THE_NODE: Final = frozenset(
    {"position()", "last()", "current()", "name()", "local-name()", "string()", "number()"}
    | {"normalize-space()", "string-length()", "node-name()", "namespace-uri()", "true", "false"}
)
"""Calls that speak of the node at hand, and lead to no other document."""

_AXES: Final = frozenset({"child", "descendant", "attribute", "self", "parent", "ancestor"})


def _beginning(path: Expression) -> Iterator[Expression]:
    """The first steps of an absolute path that have no predicates, if there are more.

    Of `//name[…]`, the name: where the predicate does not count, it may as well come later.
    """
    if path.kind != "path" or path.parts[0].kind != "root" or len(path.parts) < 2:
        return
    root, first, *_ = path.parts
    if root.name == "/":
        steps = list(takewhile(lambda part: part.kind == "step", path.parts[1:]))
        last = steps[-1] if len(steps) > 1 else None
    elif first.kind == "filter" and all(_chooses(predicate) for predicate in first.parts[1:]):
        last = first.parts[0]
    else:
        last = first
    if last and last.kind == "step" and last.axis == "child" and last.end != path.end:
        yield Expression("path", path.start, last.end, (root, last), root=True)


def _chooses(predicate: Expression) -> bool:
    """Whether the predicate says yes or no, and does not count."""
    if predicate.calls & {"position()", "last()"}:
        return False
    if predicate.kind == "group" and not predicate.name:
        return _chooses(predicate.parts[0])
    if predicate.kind == "binary":
        return predicate.name in _YES_OR_NO
    if predicate.kind == "path":
        return predicate.parts[-1].kind == "step"
    return predicate.kind == "step" or (
        predicate.kind == "call" and predicate.name in ("not", "exists", "empty", "contains")
    )


_YES_OR_NO: Final = frozenset(
    {"or", "and", "=", "!=", "<", "<=", ">", ">=", "eq", "ne", "lt", "le", "gt", "ge"}
)


def _places(rule: Rule) -> Iterator[tuple[etree._Element, str]]:
    """Every expression of a rule: tests, variables, and the values its texts show."""
    for element in rule.template.iter(f"{_X}when", f"{_X}if", f"{_X}variable", f"{_X}value-of"):
        attribute = "test" if element.get("test") is not None else "select"
        if element.get(attribute) is not None:
            yield element, attribute


def _fires_once(rule: Rule) -> bool:
    """Whether the rule is about root elements: what it asks, it asks once."""
    return _ONCE.fullmatch(rule.match) is not None


def _strange(stylesheet: etree._Element) -> frozenset[str]:
    """Names of variables and functions that might lead to another document than the one judged.

    Parameters; whatever holds a tree of its own or opens one; whatever speaks of these.
    """
    strange = {param.get("name") or "" for param in stylesheet.iterchildren(f"{_X}param")}
    made = list(stylesheet.iter(f"{_X}variable", f"{_X}function"))
    said = {
        each: " ".join(
            str(value)
            for part in each.iter("*")
            for name, value in part.attrib.items()
            if (part, name) != (each, "name")
        )
        for each in made
    }
    while True:
        found = {
            each.get("name") or ""
            for each in made
            if (each.tag == f"{_X}variable" and each.get("select") is None)
            or _OPENS.search(said[each])
            or strange & set(_NAMES.findall(said[each]))
        }
        if found <= strange:
            return frozenset(strange)
        strange |= found


def _global_names(stylesheet: etree._Element) -> frozenset[str]:
    """Global variables that no local one hides, and that hold no tree of their own."""
    names = {
        variable.get("name") or ""
        for variable in stylesheet.iterchildren(f"{_X}variable")
        if variable.get("select") is not None
    }
    local = {
        variable.get("name") or ""
        for variable in stylesheet.iter(f"{_X}variable", f"{_X}param")
        if variable.getparent() is not stylesheet
    }
    ranging = {
        name
        for element in stylesheet.iter(f"{_X}*")
        for value in element.attrib.values()
        for name in _RANGING.findall(str(value))
    }
    return frozenset(names - local - ranging)
