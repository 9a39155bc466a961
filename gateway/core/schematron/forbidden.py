"""Answers the "must not exist" rules in one walk: hundreds of them ask the same elements.

EN 16931 forbids what UBL and CII offer beyond it with one assertion per path, `not(cac:X/cbc:Y)`,
seven hundred on the root of an invoice alone. Here one walk below the element at hand, along the
paths that are spoken of and no others, tells which of them are there; as a rule none is. The
assertions stay as they are, in their places, but in small groups, each looked at only if the walk
found a path of the group:

    <xsl:if test="$gateway-found-1 = (17, 18, 19)"> … the assertions 17 to 19 as shipped … </xsl:if>

`not(//@attribute)` is answered the same way by one walk over all attributes of the document.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from lxml import etree

from gateway.core.schematron.skeleton import Rule, Skeleton
from gateway.core.schematron.vocabulary import XSL
from gateway.core.schematron.xpath import parse
from gateway.core.schematron.xpath_parts import Expression

FEWEST: Final = 4
"""A rule with fewer such assertions than this is quicker without the walk."""

GROUP: Final = 12
"""Assertions that are looked at together. Small, so that one finding does not recall them all."""

_X: Final = f"{{{XSL}}}"
_MAX_PATHS: Final = 8
_ATTRIBUTES: Final = "gateway-attributes"

Path = tuple[str, ...]
"""Names of steps as written; the last may be an attribute, `@name`."""


class _Forbidden(NamedTuple):
    """An assertion that some paths do not exist, and its number in the stylesheet."""

    number: int
    assertion: etree._Element
    paths: tuple[Path, ...]
    attribute: str
    """Of `not(//@attribute)`, which has no paths; else ""."""


class _Node:
    """A step of the paths: who forbids it, and what they say of its attributes and children."""

    def __init__(self, test: str) -> None:
        self.test = test
        self.numbers: list[int] = []
        self.attributes: dict[str, list[int]] = {}
        self.children: dict[str, _Node] = {}


def gather(stylesheet: etree._Element, skeleton: Skeleton) -> int:
    """Rewrite what can be; return how many assertions wait for the walk."""
    return _Gathering(stylesheet).done(
        rule for pattern in skeleton.patterns for rule in pattern.rules
    )


class _Gathering:
    def __init__(self, stylesheet: etree._Element) -> None:
        self._stylesheet = stylesheet
        self._attributes: dict[str, list[int]] = {}
        self._number = 0
        self._modes = 0

    def done(self, rules: Iterator[Rule]) -> int:
        for rule in rules:
            self._rule(rule)
        if self._attributes:
            self._walk_attributes()
        return self._number

    def _rule(self, rule: Rule) -> None:
        groups = list(_groups(self._found(rule.template)))
        if sum(map(len, groups)) < FEWEST:
            return
        root = _Node("")
        for forbidden in (forbidden for group in groups for forbidden in group):
            for path in forbidden.paths:
                _grow(root, path, forbidden, rule.template.nsmap)
        variable = f"gateway-found-{forbidden.number}"
        if root.children:
            self._look_first(rule.template, groups[0][0].assertion, root, variable)
        for group in groups:
            self._wait(group, variable)

    def _found(self, template: etree._Element) -> Iterator[_Forbidden | None]:
        """Each child in turn: what it forbids, None for any other."""
        for child in template.iterchildren("*"):
            what = _forbids(child)
            if what is None:
                yield None
                continue
            self._number += 1
            yield _Forbidden(self._number, child, *what)

    def _look_first(
        self, template: etree._Element, first: etree._Element, root: _Node, variable: str
    ) -> None:
        found = etree.Element(f"{_X}variable", {"name": variable, "as": "item()*"})
        self._apply(found, root, template)
        template.insert(template.index(first), found)

    def _apply(self, parent: etree._Element, node: _Node, rule: etree._Element) -> None:
        """Go on to the children of a node that are spoken of."""
        if not node.children:
            return
        self._modes += 1
        mode = f"gateway-step-{self._modes}"
        names = [child.test for child in node.children.values()]
        select = names[0] if len(names) == 1 else "*"
        etree.SubElement(parent, f"{_X}apply-templates", {"select": select, "mode": mode})
        self._template("*", mode, rule).set("priority", "-9")
        for child in node.children.values():
            template = self._template(child.test, mode, rule)
            _say(template, child.numbers)
            for attribute, numbers in child.attributes.items():
                _say(etree.SubElement(template, f"{_X}if", {"test": attribute}), numbers)
            self._apply(template, child, rule)

    def _template(self, match: str, mode: str, rule: etree._Element) -> etree._Element:
        namespaces = {prefix: uri for prefix, uri in rule.nsmap.items() if prefix}
        return etree.SubElement(
            self._stylesheet, f"{_X}template", {"match": match, "mode": mode}, nsmap=namespaces
        )

    def _wait(self, group: list[_Forbidden], variable: str) -> None:
        first = group[0].assertion
        parent = first.getparent()
        tests = []
        if numbers := [forbidden.number for forbidden in group if forbidden.paths]:
            tests.append(f"${variable} = ({', '.join(map(str, numbers))})")
        if any(forbidden.attribute for forbidden in group):
            numbers = [forbidden.number for forbidden in group if forbidden.attribute]
            tests.append(f"${_ATTRIBUTES} = ({', '.join(map(str, numbers))})")
            for forbidden in group:
                if forbidden.attribute:
                    self._attributes.setdefault(forbidden.attribute, []).append(forbidden.number)
        condition = etree.Element(f"{_X}if", {"test": " or ".join(tests)})
        if parent is not None:
            parent.replace(first, condition)
        condition.extend([forbidden.assertion for forbidden in group])

    def _walk_attributes(self) -> None:
        found = etree.SubElement(
            self._stylesheet, f"{_X}variable", {"name": _ATTRIBUTES, "as": "item()*"}
        )
        etree.SubElement(found, f"{_X}apply-templates", {"select": "//@*", "mode": _ATTRIBUTES})
        for attribute, numbers in {"@*": list[int](), **self._attributes}.items():
            template = etree.SubElement(
                self._stylesheet, f"{_X}template", {"match": attribute, "mode": _ATTRIBUTES}
            )
            if not numbers:
                template.set("priority", "-9")
            _say(template, numbers)


def _groups(found: Iterator[_Forbidden | None]) -> Iterator[list[_Forbidden]]:
    """Neighbours, so that findings keep their order."""
    group: list[_Forbidden] = []
    for forbidden in found:
        if group and (forbidden is None or len(group) == GROUP):
            yield group
            group = []
        if forbidden is not None:
            group.append(forbidden)
    if group:
        yield group


def _say(element: etree._Element, numbers: list[int]) -> None:
    if numbers:
        select = ", ".join(map(str, numbers))
        etree.SubElement(element, f"{_X}sequence", {"select": select})


def _grow(
    node: _Node, path: Path, forbidden: _Forbidden, namespaces: dict[str | None, str]
) -> None:
    for step in path:
        if step.startswith("@"):
            node.attributes.setdefault(step, []).append(forbidden.number)
            return
        prefix, _, local = step.rpartition(":")
        name = f"{{{namespaces.get(prefix, '')}}}{local}"
        node = node.children.setdefault(name, _Node(step))
    node.numbers.append(forbidden.number)


def _forbids(child: etree._Element) -> tuple[tuple[Path, ...], str] | None:
    """The paths of an assertion `not(path)`, or the attribute of `not(//@attribute)`."""
    parts = list(child.iterchildren("*"))
    if child.tag != f"{_X}choose" or [part.tag for part in parts] != [
        f"{_X}when",
        f"{_X}otherwise",
    ]:
        return None
    when = parts[0]
    expression = parse(when.get("test") or "")
    if expression is None or len(when) or (when.text or "").strip():
        return None
    expression = _bare(expression)
    if (expression.kind, expression.name, len(expression.parts)) != ("call", "not", 1):
        return None
    path = _bare(expression.parts[0])
    if attribute := _attribute(path):
        return (), attribute
    paths = tuple(_paths(path))
    usable = 0 < len(paths) <= _MAX_PATHS and all(p and p[0][0] != "@" for p in paths)
    return (paths, "") if usable and _declared(paths, when) else None


def _declared(paths: tuple[Path, ...], when: etree._Element) -> bool:
    """Whether the names mean there what they mean in the rule's template."""
    template = next(when.iterancestors(f"{_X}template"))
    prefixes = {step.rpartition(":")[0] for path in paths for step in path if ":" in step}
    return all(when.nsmap.get(prefix) == template.nsmap.get(prefix) for prefix in prefixes)


def _bare(expression: Expression) -> Expression:
    while expression.kind == "group" and not expression.name:
        expression = expression.parts[0]
    return expression


def _attribute(path: Expression) -> str:
    if path.kind != "path" or len(path.parts) != 2:
        return ""
    root, step = path.parts
    plain = root.kind == "root" and root.name == "//" and step.axis == "attribute"
    return f"@{step.name}" if plain and step.name.isidentifier() else ""


def _paths(expression: Expression) -> Iterator[Path]:
    """Every path of names that the expression stands for; one empty path for anything else."""
    expression = _bare(expression)
    if expression.kind == "step":
        plain = expression.name.replace(":", "", 1).replace("-", "").isidentifier()
        if plain and expression.axis == "child":
            yield (expression.name,)
        elif expression.name.isidentifier() and expression.axis == "attribute":
            yield (f"@{expression.name}",)
        else:
            yield ()
    elif expression.kind == "binary" and expression.name in ("|", "union"):
        for part in expression.parts:
            yield from _paths(part)
    elif expression.kind == "path":
        found: list[Path] = [()]
        for part in expression.parts:
            steps = list(_paths(part))
            if () in steps or any(path and path[-1][0] == "@" for path in found):
                yield ()
                return
            found = [before + step for before in found for step in steps]
        yield from found
    else:
        yield ()
