"""Spares elements the rules about other names: `//ram:*[ends-with(name(), 'Amount')]`.

Such a rule is tried on every element of the document, six of them one after the other, only to
find that `ram:SellerTradeParty` does not end so. For the names a stylesheet speaks of, this can be
told beforehand. From the first such rule downwards, each of these names gets templates of its own,
which the engine finds by name: one for every rule that might want it, in the order of the rules,
and at the end one that does nothing. They stand before the rules about names, which are left to
the elements that nobody could foresee. Rules that come earlier have had their turn by then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from lxml import etree

from gateway.core.schematron.skeleton import Pattern, Rule
from gateway.core.schematron.vocabulary import XSL
from gateway.core.schematron.xpath import parse
from gateway.core.schematron.xpath_parts import Expression

MOST: Final = 6
"""Rules that one name gets; a name that more rules might want is tried as ever."""

_X: Final = f"{{{XSL}}}"
_QNAME: Final = re.compile(r"(?<![\w.:$-])([^\W\d][\w.-]*:[^\W\d][\w-]*)(?![\w.:-]|\s*\()")
_STRINGS: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
_SAID_BY_NAME: Final = frozenset({"name", "local-name"})
_MAX_SPAN: Final = 4000


class _Want(NamedTuple):
    """One alternative of a rule: `before`, the test of its last step, `after`.

    `suffixes`: how the name must end; only of a wildcard, and () when it may be any.
    """

    rule: Rule
    priority: int
    before: str
    test: str
    after: str
    suffixes: tuple[str, ...]

    def may_be(self, name: str, namespaces: dict[str | None, str]) -> bool:
        """Whether an element of that QName might be meant."""
        prefix, _, local = self.test.rpartition(":")
        own_prefix, _, own_local = name.partition(":")
        if prefix and namespaces.get(prefix) != namespaces.get(own_prefix):
            return False
        if local == "*":
            return all(own_local.endswith(suffix) for suffix in self.suffixes)
        return bool(prefix) and local == own_local


def names_of(stylesheet: etree._Element) -> tuple[str, ...]:
    """QNames the stylesheet speaks of, one for each name, in the prefixes of its root."""
    found: dict[str, str] = {}
    for element in stylesheet.iter(f"{_X}template", f"{_X}when", f"{_X}if", f"{_X}variable"):
        for attribute in ("match", "test", "select"):
            for name in _QNAME.findall(_STRINGS.sub(" ", element.get(attribute) or "")):
                prefix, _, local = name.partition(":")
                if prefix in stylesheet.nsmap:
                    found.setdefault(f"{{{stylesheet.nsmap[prefix]}}}{local}", name)
    return tuple(sorted(found.values()))


def stop(stylesheet: etree._Element, pattern: Pattern, names: tuple[str, ...]) -> int:
    """Give names templates of their own, if the pattern has use for it; return how many got them.

    Only for a pattern whose walk does not go on from where its rules match.
    """
    wants = []
    for rule in pattern.rules:
        found = _wants(rule)
        if found is None or rule.template.nsmap != stylesheet.nsmap:
            return 0
        wants += found
    first = max((want.priority for want in wants if want.suffixes), default=0)
    below = [want for want in wants if want.priority <= first]
    if not first or first - min(want.priority for want in below) > _MAX_SPAN:
        return 0
    stopped = 0
    for name in names:
        mine = [want for want in below if want.may_be(name, stylesheet.nsmap)]
        if len(mine) > MOST:
            continue
        stopped += 1
        for want in mine:
            priority = first + 0.9 - (first - want.priority) / 10_000
            match = f"{want.before}{name}{want.after}"
            template = _template(stylesheet, pattern, match, f"{priority:.4f}")
            called = f"gateway-{pattern.mode}-{want.priority}"
            want.rule.template.set("name", called)
            etree.SubElement(template, f"{_X}call-template", {"name": called})
        _template(stylesheet, pattern, name, f"{first}.1")
    return stopped


def _template(
    stylesheet: etree._Element, pattern: Pattern, match: str, priority: str
) -> etree._Element:
    attributes = {"match": match, "mode": pattern.mode, "priority": priority}
    return etree.SubElement(stylesheet, f"{_X}template", attributes)


def _wants(rule: Rule) -> list[_Want] | None:
    """The alternatives of a rule's context that mean elements; None when they are not plain."""
    match, priority = rule.match, int(rule.template.get("priority") or 0)
    whole = parse(match)
    if whole is None:
        return None
    wants = []
    is_union = (whole.kind, whole.name) in (("binary", "|"), ("binary", "union"))
    for alternative in whole.parts if is_union else (whole,):
        last = alternative.parts[-1] if alternative.kind == "path" else alternative
        step, *predicates = last.parts if last.kind == "filter" else (last,)
        if step.kind != "step" or step.axis not in ("child", "attribute"):
            return None
        if step.axis == "attribute":
            continue
        if match[step.start : step.end] != step.name or step.name.startswith("*:"):
            return None
        before, after = match[alternative.start : step.start], match[step.end : alternative.end]
        suffixes = tuple(suffix for predicate in predicates for suffix in _suffixes(predicate))
        wants.append(
            _Want(rule, priority, before, step.name, after, suffixes if "*" in step.name else ())
        )
    return wants


def _suffixes(predicate: Expression) -> Iterator[str]:
    """How the name must end for the predicate to hold, where it says so."""
    if predicate.kind == "group" and not predicate.name:
        yield from _suffixes(predicate.parts[0])
    elif (predicate.kind, predicate.name) == ("binary", "and"):
        for part in predicate.parts:
            yield from _suffixes(part)
    elif (predicate.kind, predicate.name, len(predicate.parts)) == ("call", "ends-with", 2):
        name, ending = predicate.parts
        said = name.kind == "call" and name.name in _SAID_BY_NAME and not name.parts
        suffix = ending.name[1:-1] if ending.kind == "string" else ""
        # name() has a prefix: an ending without a colon is an ending of the local name.
        if said and suffix.isalnum():
            yield suffix
