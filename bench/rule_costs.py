"""What each rule of a pack costs: `python -m bench.validation --by-rule`.

The pack runs as the gateway runs it, with a switch before every pattern and every rule. A rule is
charged the difference between its pattern with that rule alone and its pattern with none; a
pattern, what it takes to find its elements and their rules. Assertions of one rule share variables
and are looked at together, so they are not told apart; what several rules share (a global variable)
is charged to each that asks for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from lxml import etree

from gateway.core.schematron.catalogue import Artefact
from gateway.core.schematron.compiler import rewrite
from gateway.core.schematron.preparation import prepared
from gateway.core.schematron.skeleton import Pattern, Rule, recognise
from gateway.core.schematron.svrl import SVRL
from gateway.core.schematron.vocabulary import XSL, Unfamiliar

ROUNDS: Final = 7

_X: Final = f"{{{XSL}}}"
_PATTERN: Final = "gateway-pattern"
_RULE: Final = "gateway-rule"


class Cost(NamedTuple):
    """Milliseconds of one rule, or, with `rule` "", of finding a pattern's elements.

    `rule`: its context. `assertions`: the ids of its assertions.
    """

    pattern: str
    rule: str
    assertions: tuple[str, ...]
    milliseconds: float


def costs(artefact: Artefact, document: bytes) -> list[Cost]:
    """What the rules of a pack cost on a document (UTF-8), the dearest first.

    Raises RulePackError when the pack is not what the catalogue says; Unfamiliar when it runs as
    shipped, for then its rules cannot be told apart.
    """
    text, parameters = prepared(artefact)
    rewriting = rewrite(text, parameters)
    if rewriting.as_shipped:
        raise Unfamiliar(rewriting.as_shipped)
    skeleton = recognise(etree.fromstring(text, etree.XMLParser(huge_tree=True)))
    switched = _switched(rewriting.stylesheet, skeleton.patterns)
    return sorted(
        _measured(switched, parameters, document, skeleton.patterns),
        key=lambda cost: -cost.milliseconds,
    )


def _measured(
    stylesheet: str, parameters: dict[str, str], document: bytes, patterns: tuple[Pattern, ...]
) -> Iterator[Cost]:
    from saxonche import PySaxonProcessor

    saxon = PySaxonProcessor(license=False)
    executable: Any = saxon.new_xslt30_processor().compile_stylesheet(stylesheet_text=stylesheet)
    nodes = {name: saxon.parse_xml(xml_text=content) for name, content in parameters.items()}
    for name, node in nodes.items():
        executable.set_parameter(name, node)
    source = saxon.parse_xml(xml_text=document.decode(), encoding="UTF-8")

    def least(pattern: str, rule: str) -> float:
        executable.set_parameter(_PATTERN, saxon.make_string_value(pattern))
        executable.set_parameter(_RULE, saxon.make_string_value(rule))
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            executable.transform_to_string(xdm_node=source)
            times.append((time.perf_counter() - started) * 1000)
        return min(times)

    nothing = min(least("-", "-"), least("-", "-"))
    for pattern in patterns:
        finding = least(pattern.mode, "-")
        yield Cost(pattern.mode, "", (), max(0.0, finding - nothing))
        for rule in pattern.rules:
            taken = least(pattern.mode, _priority(rule))
            yield Cost(pattern.mode, rule.match, _ids(rule), max(0.0, taken - finding))


def _switched(stylesheet: str, patterns: tuple[Pattern, ...]) -> str:
    root = etree.fromstring(stylesheet, etree.XMLParser(huge_tree=True))
    modes = {pattern.mode: {_priority(rule) for rule in pattern.rules} for pattern in patterns}
    for name in (_PATTERN, _RULE):
        etree.SubElement(root, f"{_X}param", {"name": name, "select": "''"})
    for start in list(root.iter(f"{_X}apply-templates")):
        parent = start.getparent()
        if parent is not None and parent.tag == f"{{{SVRL}}}schematron-output":
            switch = etree.Element(f"{_X}if", {"test": f"${_PATTERN} = '{start.get('mode')}'"})
            parent.replace(start, switch)
            switch.append(start)
    for template in root.iterchildren(f"{_X}template"):
        priority = template.get("priority") or ""
        if priority in modes.get(template.get("mode") or "", ()):
            switch = etree.Element(f"{_X}if", {"test": f"${_RULE} = '{priority}'"})
            onward = [child for child in template if child.tag == f"{_X}apply-templates"]
            switch.extend([child for child in template if child not in onward])
            template.insert(0, switch)
    return etree.tostring(root, encoding="unicode")


def _priority(rule: Rule) -> str:
    return rule.template.get("priority") or ""


def _ids(rule: Rule) -> tuple[str, ...]:
    found = []
    for assertion in rule.template.iter(f"{{{SVRL}}}failed-assert", f"{{{SVRL}}}successful-report"):
        written = [a.text or "" for a in assertion.iterchildren() if a.get("name") == "id"]
        found += written or [assertion.get("id") or "?"]
    return tuple(found)
