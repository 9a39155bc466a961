"""Looks codes up instead of searching for them: a set for a long string, a set for a second file.

Two ways of writing a code list are known.

    not(contains(normalize-space(.), ' '))
      and contains(' AED AFN ALL … ', concat(' ', normalize-space(.), ' '))

searches a string of up to 20,000 characters. The first line sees to it that the value is one word.
Such a value is found if it stands between two spaces of the list, and only then: that is
membership in the set of what stands between two spaces. Where that first line is missing, a value
with a space in it (`A B` is found in ` A B C `) is still searched for in the string.

    document('codes.xml')/codedb/cl[@id=4]/enumeration[@value=$codeValue]

goes through a whole list of a file that is known beforehand (`preparation` hands it over). Where
nothing but whether there is such a code matters, that is membership again. (An xsl:key does not
do: the engine forgets its index from one document to the next.) Both compare untyped values as
strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from lxml import etree

from gateway.core.schematron.skeleton import Rule, Skeleton
from gateway.core.schematron.vocabulary import XSL
from gateway.core.schematron.xpath import parse
from gateway.core.schematron.xpath_parts import Expression

FEWEST: Final = 8
"""Shorter lists are searched as fast as they are looked up."""

_X: Final = f"{{{XSL}}}"
_MAP: Final = "http://www.w3.org/2005/xpath-functions/map"
_PREFIX: Final = "gateway-map"
_SPACE: Final = frozenset({"' '", '" "'})
_LOOKUP: Final = re.compile(
    r"\$(?P<file>gateway-codes-\d+)/(?P<path>[\w-]+/[\w-]+\[@[\w-]+=\d+\]/[\w-]+)"
    r"\[@(?P<attribute>[\w-]+)=\$(?P<variable>[\w-]+)\]"
)
_OF_A_NODE: Final = re.compile(r"\s*(?:\.|@[\w-]+)\s*")


def look_up(
    stylesheet: etree._Element, skeleton: Skeleton, codes: Mapping[str, str] | None = None
) -> None:
    """Rewrite the tests that search for codes. `codes`: parameter → the file it stands for."""
    lists = _Lists(stylesheet)
    files = _Files(lists, codes or {})
    for rule in (rule for pattern in skeleton.patterns for rule in pattern.rules):
        nodes = _variables_of_nodes(rule)
        for test in rule.template.iter(f"{_X}when", f"{_X}if"):
            text = test.get("test") or ""
            test.set("test", files.rewritten(lists.rewritten(text), nodes))


class _Lists:
    """Sets of codes as global variables."""

    def __init__(self, stylesheet: etree._Element) -> None:
        self._stylesheet = stylesheet
        self._names: dict[tuple[str, ...], str] = {}

    def rewritten(self, text: str) -> str:
        """The expression with its searches of long strings replaced."""
        expression = parse(text) if "concat(" in text else None
        if expression is None:
            return text
        found = sorted(self._replacements(text, expression), key=lambda place: -place[0])
        for start, end, replacement in found:
            text = text[:start] + replacement + text[end:]
        return text

    def _replacements(self, text: str, whole: Expression) -> Iterator[tuple[int, int, str]]:
        guards = {
            part: [_one_word(text, sibling) for sibling in whole_and.parts]
            for whole_and in whole.walk()
            if (whole_and.kind, whole_and.name) == ("binary", "and")
            for part in whole_and.parts
        }
        for part in whole.walk():
            searched = _search(text, part)
            if searched is None:
                continue
            codes, value = searched
            found = f"exists({self.variable(codes)}({value}))"
            if value not in guards.get(part, ()):
                found = f"(if (contains({value}, ' ')) then {_of(text, part)} else {found})"
            yield part.start, part.end, found

    def variable(self, codes: tuple[str, ...]) -> str:
        """A map that has just these codes as keys."""
        name = self._names.get(codes)
        if name is None:
            name = self._names[codes] = f"gateway-list-{len(self._names) + 1}"
            entries = ", ".join(f"{_quoted(code)}: 1" for code in codes)
            etree.SubElement(
                self._stylesheet, f"{_X}variable", {"name": name, "select": f"map{{{entries}}}"}
            )
        return f"${name}"


class _Files:
    """Lists of a second file."""

    def __init__(self, lists: _Lists, codes: Mapping[str, str]) -> None:
        self._lists = lists
        self._files = {name: etree.fromstring(content) for name, content in codes.items()}
        self._known: dict[tuple[str, str, str], tuple[str, ...]] = {}

    def rewritten(self, text: str, nodes: frozenset[str]) -> str:
        """The expression with its walks through a list replaced. `nodes`: variables of nodes."""
        expression = parse(text) if "$gateway-codes-" in text else None
        if expression is None:
            return text
        for part in sorted(_alternatives(expression), key=lambda part: -part.start):
            lookup = _LOOKUP.fullmatch(_of(text, part))
            if lookup is not None and lookup["variable"] in nodes and lookup["file"] in self._files:
                found = self._lists.variable(self._codes(lookup))
                found = f"exists(${lookup['variable']}/{found}(string()))"
                text = text[: part.start] + found + text[part.end :]
        return text

    def _codes(self, lookup: re.Match[str]) -> tuple[str, ...]:
        where = lookup["file"], lookup["path"], lookup["attribute"]
        if where not in self._known:
            file, path, attribute = where
            found = cast("list[etree._Element]", self._files[file].xpath(f"/{path}[@{attribute}]"))
            codes = dict.fromkeys(element.get(attribute, "") for element in found)
            self._known[where] = tuple(codes)
        return self._known[where]


def _alternatives(expression: Expression) -> Iterator[Expression]:
    """Parts of a test of which only matters whether they find anything."""
    if expression.kind == "group" and expression.parts:
        yield from _alternatives(expression.parts[0])
    elif expression.kind == "binary" and expression.name in ("or", "and"):
        for part in expression.parts:
            yield from _alternatives(part)
    else:
        yield expression


def _variables_of_nodes(rule: Rule) -> frozenset[str]:
    """Variables of a rule that are always the node at hand, or an attribute of it."""
    variables = list(rule.template.iter(f"{_X}variable"))
    names = [variable.get("name") or "" for variable in variables]
    return frozenset(
        name
        for name, variable in zip(names, variables, strict=True)
        if names.count(name) == 1 and _OF_A_NODE.fullmatch(variable.get("select") or "")
    )


def _search(text: str, part: Expression) -> tuple[tuple[str, ...], str] | None:
    """The codes and the value of `contains('<list>', concat(' ', <value>, ' '))`."""
    if (part.kind, part.name, len(part.parts)) != ("call", "contains", 2):
        return None
    listed, wrapped = part.parts
    if listed.kind != "string" or (wrapped.kind, wrapped.name) != ("call", "concat"):
        return None
    pieces = wrapped.parts
    if len(pieces) != 3 or {_of(text, pieces[0]), _of(text, pieces[2])} - _SPACE:
        return None
    value = pieces[1]
    if (value.kind, value.name, len(value.parts)) != ("call", "normalize-space", 1):
        return None
    quote, inside = listed.name[0], listed.name[1:-1]
    codes = tuple(dict.fromkeys(inside.replace(quote * 2, quote).split(" ")[1:-1]))
    return (codes, _of(text, value)) if len(codes) >= FEWEST else None


def _one_word(text: str, part: Expression) -> str:
    """The value of `not(contains(<value>, ' '))`, else ""."""
    if (part.kind, part.name, len(part.parts)) != ("call", "not", 1):
        return ""
    contains = part.parts[0]
    if (contains.kind, contains.name, len(contains.parts)) != ("call", "contains", 2):
        return ""
    value, space = contains.parts
    return _of(text, value) if _of(text, space) in _SPACE else ""


def _of(text: str, part: Expression) -> str:
    return text[part.start : part.end]


def _quoted(code: str) -> str:
    return "'" + code.replace("'", "''") + "'"
