"""Rewrites a compiled Schematron so that it finds the same in less time.

The ISO skeleton walks the whole document twice for every pattern and reports every rule that
fired. The rewritten stylesheet

- leaves out the walks in the default mode, and what the report says beside its findings;
- starts each pattern at the very elements its rules can match, found by their names, instead of
  walking to them. The nodes come in document order, as on the walk; which rule of a pattern takes
  a node is still decided by the same templates with the same priorities (`stopping`);
- looks codes up instead of searching for them (`codelists`), asks for all forbidden paths in one
  walk (`forbidden`), and computes once what depends on no node at hand (`hoisting`).

The shipped stylesheet stays the authority. What has not exactly the known shape (`skeleton`) runs
as shipped, a pattern that depends on its walk keeps it, and whenever a rewritten stylesheet gives
no answer, the shipped one is asked (`runner`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from lxml import etree

from gateway.core.schematron.brevity import shorten
from gateway.core.schematron.codelists import look_up
from gateway.core.schematron.forbidden import gather
from gateway.core.schematron.hoisting import hoist
from gateway.core.schematron.locating import spell_places_once
from gateway.core.schematron.matching import Step, last_steps, plain_paths
from gateway.core.schematron.skeleton import Pattern, Rule, Skeleton, recognise
from gateway.core.schematron.stopping import names_of, stop
from gateway.core.schematron.svrl import SVRL, Saying
from gateway.core.schematron.together import say_together
from gateway.core.schematron.vocabulary import XSL, Unfamiliar
from gateway.core.schematron.xpath import parse

MAX_NAMES: Final = 12
"""Names looked up one by one. Past that, one pass over all elements is quicker."""

_MAX_PATHS: Final = 20


class Rewriting(NamedTuple):
    """What to run. `as_shipped`: why nothing was rewritten, "" when it was.

    `walks`: of the patterns that keep their walk, mode → why.
    """

    stylesheet: str
    as_shipped: str
    walks: dict[str, str]
    sayings: tuple[Saying, ...] = ()
    """What the findings say that its report has in short (`brevity`)."""


class _Walks(Exception):
    """The pattern keeps its walk. The message says why."""


def rewrite(stylesheet: str, codes: Mapping[str, str] | None = None) -> Rewriting:
    """The stylesheet (XML text without an encoding declaration), rewritten as far as is safe.

    `codes`: parameter → the code list (XML) that it will stand for, whatever the document. Raises
    lxml.etree.XMLSyntaxError when the text is no XML.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    root = etree.fromstring(stylesheet, parser)
    try:
        skeleton = recognise(root)
    except Unfamiliar as difference:
        return Rewriting(stylesheet, str(difference), {})
    names = names_of(root)
    walks: dict[str, str] = {}
    sure: list[str] = []
    started: list[Pattern] = []
    for pattern in skeleton.patterns:
        try:
            select = _selection(pattern)
        except _Walks as reason:
            walks[pattern.mode] = str(reason)
        else:
            _start_at(pattern, select)
            started.append(pattern)
            stop(root, pattern, names)
            sure += [path for rule in pattern.rules for path in _sure_paths(pattern, rule)]
    _find_once(root, started)
    look_up(root, skeleton, codes)
    gather(root, skeleton)
    hoist(root, skeleton)
    spell_places_once(root, skeleton)
    _be_brief(skeleton, sure)
    sayings = shorten(root)
    say_together(root)
    root.set("exclude-result-prefixes", "#all")
    parse.cache_clear()
    return Rewriting(etree.tostring(root, encoding="unicode"), "", walks, sayings)


def _selection(pattern: Pattern) -> str:
    """XPath of every node that a rule of the pattern can match. Raises _Walks."""
    steps: dict[Step, None] = {}
    for rule in pattern.rules:
        if rule.needs_walk:
            raise _Walks(rule.needs_walk)
        found = last_steps(rule.match)
        if found is None:
            raise _Walks(f"the context {rule.match} is of no known form")
        for step in found:
            if not _same_namespace(step.test, rule.template, pattern.start):
                raise _Walks(f"the prefix of {step.test} means something else elsewhere")
            if not step.attribute or pattern.attributes:
                steps[step] = None
    names = [step.test for step in steps if not step.attribute]
    if "*" in names or len(names) > MAX_NAMES:
        names = ["*"]
    names += [f"@{step.test}" for step in steps if step.attribute]
    return " | ".join(f"//{name}" for name in names) or "()"


def _same_namespace(test: str, here: etree._Element, there: etree._Element) -> bool:
    prefix, colon, _local = test.rpartition(":")
    return not colon or prefix == "*" or _namespace(here, prefix) == _namespace(there, prefix)


def _namespace(element: etree._Element, prefix: str) -> str | None:
    return element.nsmap.get(prefix)


def _start_at(pattern: Pattern, select: str) -> None:
    """Start at the selected nodes, and end there: nothing sends the walk on any more."""
    pattern.start.set("select", select)
    for rule in pattern.rules:
        if rule.onward is not None:
            rule.template.remove(rule.onward)
    for child in list(pattern.otherwise):
        pattern.otherwise.remove(child)


def _find_once(stylesheet: etree._Element, started: list[Pattern]) -> None:
    """Find the elements of one name for all patterns that start at them."""
    asked = Counter(path for pattern in started for path in _paths(pattern))
    names: dict[str, str] = {}
    for pattern in started:
        paths = _paths(pattern)
        for number, path in enumerate(paths):
            shared = _same_namespace(path.lstrip("/@"), stylesheet, pattern.start)
            if path not in ("()", "//*") and asked[path] > 1 and shared:
                name = names.setdefault(path, f"gateway-nodes-{len(names) + 1}")
                paths[number] = f"${name}"
        pattern.start.set("select", " | ".join(paths))
    for path, name in names.items():
        etree.SubElement(stylesheet, f"{{{XSL}}}variable", name=name, select=path)


def _paths(pattern: Pattern) -> list[str]:
    return (pattern.start.get("select") or "").split(" | ")


def _sure_paths(pattern: Pattern, rule: Rule) -> tuple[str, ...]:
    """Paths that, finding an element, prove that a rule of the pattern fires."""
    return tuple(
        path
        for path in plain_paths(rule.match)
        if _same_namespace(path.lstrip("/"), rule.template, pattern.start)
    )


def _be_brief(skeleton: Skeleton, sure: list[str]) -> None:
    """Report findings only, and that some rule fired, which tells a check from no check.

    Without a simple proof that one fired, the rules go on saying so themselves.
    """
    for child in list(skeleton.report):
        if child.tag != f"{{{XSL}}}apply-templates":
            skeleton.report.remove(child)
    for kind in ("failed-assert", "successful-report"):
        for found in skeleton.report.getroottree().iter(f"{{{SVRL}}}{kind}"):
            # The test quoted in full is nothing to anyone here. (With braces it is no quotation.)
            quoted = found.get("test")
            if quoted is not None and not set("{}") & set(quoted):
                del found.attrib["test"]
    # From the root first: there the answer is found at the first step.
    paths = sorted(dict.fromkeys(sure), key=lambda path: path.startswith("//"))[:_MAX_PATHS]
    if not paths:
        return
    for pattern in skeleton.patterns:
        for rule in pattern.rules:
            rule.template.remove(rule.fired)
    fired = etree.SubElement(skeleton.report, f"{{{XSL}}}if", test=" or ".join(paths))
    etree.SubElement(fired, f"{{{SVRL}}}fired-rule")
