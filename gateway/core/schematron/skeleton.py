"""The one shape of stylesheet the compiler dares to rewrite: what the ISO skeleton makes.

The ISO skeleton turns each Schematron pattern into a template mode and each rule into a template
of that mode. The template of `/` (the setup) writes the report: for every pattern an
`svrl:active-pattern` around a walk of the whole document in the default mode, which finds nothing
and writes nothing, and then a walk in the pattern's mode. A rule's template writes an
`svrl:fired-rule`, tests its assertions, and sends the walk on to the children; a template of
lowest priority sends it on from the nodes that no rule wants.

Recognition is by listing what is known, not by searching for what would hurt: every element and
attribute (`vocabulary`), every mode and template must have its place in the picture above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from lxml import etree

from gateway.core.schematron.matching import without_predicates
from gateway.core.schematron.svrl import SVRL
from gateway.core.schematron.vocabulary import XSL, Unfamiliar, check_vocabulary

_X: Final = f"{{{XSL}}}"
_S: Final = f"{{{SVRL}}}"
_MODE: Final = re.compile(r"[A-Za-z_][\w.-]*")
_FOCUS: Final = re.compile(r"(?<![\w.-])(?:position|last)\s*[(#]")


class Rule(NamedTuple):
    """A rule's template. `onward` sends the walk on to the children; None: it ends here.

    `needs_walk`: why the rule must be reached by the walk; "" when any way will do.
    """

    template: etree._Element
    match: str
    fired: etree._Element
    onward: etree._Element | None
    needs_walk: str


class Pattern(NamedTuple):
    """A pattern: `start` begins its walk, `otherwise` sends it on where no rule matches.

    `attributes`: the walk visits attributes, too.
    """

    mode: str
    start: etree._Element
    otherwise: etree._Element
    attributes: bool
    rules: tuple[Rule, ...]


class Skeleton(NamedTuple):
    """A stylesheet of the known shape. `report` is the svrl:schematron-output of the setup."""

    report: etree._Element
    active_patterns: tuple[etree._Element, ...]
    patterns: tuple[Pattern, ...]


def recognise(stylesheet: etree._Element) -> Skeleton:
    """The parts of a stylesheet (its root element). Raises Unfamiliar."""
    check_vocabulary(stylesheet)
    templates = list(stylesheet.iterchildren(f"{_X}template"))
    setup = _setup(templates)
    report = _report(setup)
    active, starts = _contents(report)
    members: dict[str, list[etree._Element]] = {mode: [] for mode in starts}
    for template in templates:
        mode = template.get("mode")
        if mode in members:
            members[mode].append(template)
        elif template is not setup:
            _check_service(template, starts)
    patterns = tuple(_pattern(mode, starts[mode], members[mode], starts) for mode in starts)
    return Skeleton(report, tuple(active), patterns)


def _setup(templates: list[etree._Element]) -> etree._Element:
    """The template of `/`; the only other one in the default mode drops text."""
    default = [template for template in templates if template.get("mode") is None]
    setups = [template for template in default if dict(template.items()) == {"match": "/"}]
    rest = [template for template in default if template not in setups]
    if len(setups) != 1 or len(rest) != 1:
        raise Unfamiliar("the default mode has other templates than those of / and text()")
    if dict(rest[0].items()) != {"match": "text()", "priority": "-1"} or not _is_empty(rest[0]):
        raise Unfamiliar("the default mode does more than to drop text")
    return setups[0]


def _report(setup: etree._Element) -> etree._Element:
    children = list(setup.iterchildren("*"))
    if len(children) != 1 or children[0].tag != f"{_S}schematron-output":
        raise Unfamiliar("the template of / does more than to write one report")
    return children[0]


def _contents(
    report: etree._Element,
) -> tuple[list[etree._Element], dict[str, etree._Element]]:
    """The active patterns, and the start of each pattern's walk by mode, in order."""
    active: list[etree._Element] = []
    starts: dict[str, etree._Element] = {}
    for child in report.iterchildren("*"):
        applied = list(child.iter(f"{_X}apply-templates"))
        if child.tag == f"{_X}apply-templates":
            mode = child.get("mode") or ""
            if child.get("select") != "/" or not _MODE.fullmatch(mode) or mode in starts:
                raise Unfamiliar(f"the walk of pattern {mode or '(none)'} starts in no known way")
            starts[mode] = child
        elif child.tag == f"{_S}active-pattern":
            _check_active_pattern(child, applied)
            active.append(child)
        elif applied or child.tag not in (
            f"{_X}comment",
            f"{_S}ns-prefix-in-attribute-values",
            f"{_S}text",
        ):
            raise Unfamiliar(f"the report holds {etree.QName(child).localname}")
    if not starts:
        raise Unfamiliar("it has no patterns")
    return active, starts


def _check_active_pattern(pattern: etree._Element, applied: list[etree._Element]) -> None:
    children = list(pattern.iterchildren("*"))
    if len(applied) != 1 or children[-1] is not applied[0] or applied[0].attrib:
        raise Unfamiliar("an active pattern does not hold the walk in the default mode")
    for child in children[:-1]:
        if child.tag == f"{_X}attribute":
            values = list(child.iterchildren("*"))
            if any(
                value.tag != f"{_X}value-of" or value.get("select") != "document-uri(/)"
                for value in values
            ):
                raise Unfamiliar("an active pattern says more than its name")
        elif child.tag != f"{_S}text" or len(child):
            raise Unfamiliar(f"an active pattern holds {etree.QName(child).localname}")


def _check_service(template: etree._Element, patterns: dict[str, etree._Element]) -> None:
    """A template of another mode (the place of a node as a path) keeps out of the patterns."""
    mode = template.get("mode")
    if mode is None:
        return
    if not _MODE.fullmatch(mode) or not template.get("match"):
        raise Unfamiliar(f"there is a template in mode {mode}")
    _check_applied(template.iter(f"{_X}apply-templates"), patterns)


def _check_applied(applied: Iterator[etree._Element], patterns: dict[str, etree._Element]) -> None:
    for instruction in applied:
        mode = instruction.get("mode") or ""
        if not _MODE.fullmatch(mode) or mode in patterns:
            raise Unfamiliar(f"templates of mode {mode or '(default)'} are applied out of turn")


def _pattern(
    mode: str,
    start: etree._Element,
    templates: list[etree._Element],
    patterns: dict[str, etree._Element],
) -> Pattern:
    rules, fallbacks = [], []
    for template in templates:
        match, priority = template.get("match") or "", template.get("priority") or ""
        if (match, priority) == ("text()", "-1") and _is_empty(template):
            continue
        if (match, priority) == ("@*|node()", "-2"):
            fallbacks.append(template)
        elif re.fullmatch(r"\d{1,9}", priority) and match:
            rules.append(_rule(template, mode, patterns))
        else:
            raise Unfamiliar(f"pattern {mode} has a template of {match} that is no rule")
    if len(fallbacks) != 1:
        raise Unfamiliar(f"pattern {mode} has {len(fallbacks)} templates for what no rule matches")
    (otherwise,) = fallbacks
    onward = _onward(otherwise, mode)
    if onward is None or len(list(otherwise.iterchildren("*"))) != 1:
        raise Unfamiliar(f"pattern {mode} does not simply walk on where no rule matches")
    select = onward.get("select")
    if any(rule.onward is not None and rule.onward.get("select") != select for rule in rules):
        raise Unfamiliar(f"the rules of pattern {mode} walk on in different ways")
    return Pattern(mode, start, otherwise, select == "@*|*", tuple(rules))


def _rule(template: etree._Element, mode: str, patterns: dict[str, etree._Element]) -> Rule:
    match = template.get("match") or ""
    fired = next(template.iterchildren("*"), None)
    if fired is None or fired.tag != f"{_S}fired-rule" or not _is_constant(fired):
        raise Unfamiliar(f"the rule of {match} does not open with a plain svrl:fired-rule")
    onward = _onward(template, mode)
    inner = (applied for applied in template.iter(f"{_X}apply-templates") if applied is not onward)
    _check_applied(inner, patterns)
    needs_walk = ""
    if onward is None:
        needs_walk = f"the rule of {match} ends the walk"
    elif _asks_for_position(template):
        needs_walk = f"the rule of {match} asks for its position in the walk"
    return Rule(template, match, fired, onward, needs_walk)


def _onward(template: etree._Element, mode: str) -> etree._Element | None:
    """The template's last instruction, if it sends the walk of its mode on to the children."""
    children = list(template.iterchildren("*"))
    last = children[-1] if children else None
    if (
        last is None
        or last.tag != f"{_X}apply-templates"
        or last.get("mode") != mode
        or last.get("select") not in ("*", "@*|*")
        or len(last)
    ):
        return None
    return last


def _is_empty(template: etree._Element) -> bool:
    return not len(template) and not (template.text or "").strip()


def _is_constant(fired: etree._Element) -> bool:
    """Whether writing the element needs nothing of the document: it can be left out unnoticed."""
    values = [str(value) for value in fired.attrib.values()]
    for child in fired.iterchildren("*"):
        if child.tag != f"{_X}attribute" or len(child):
            return False
        values.append(child.get("name") or "{")
    return not any(set("{}") & set(re.sub(r"\{\{|\}\}", "", value)) for value in values)


def _asks_for_position(template: etree._Element) -> bool:
    """Whether position() or last() may mean the place in the walk, not in a path's step."""
    for element in template.iter("*"):
        is_instruction = etree.QName(element).namespace == XSL
        for name, value in element.attrib.items():
            if is_instruction and name in ("select", "test"):
                outside = without_predicates(str(value))
                if outside is None or _FOCUS.search(outside):
                    return True
            elif element is not template and "{" in value and _FOCUS.search(str(value)):
                return True
    return False
