"""What an XPath expression stands for, and whose text it reads: a part of core.reading.

Names stand for nodes whose text is within that of an element of one of them. A node of unknown
name goes by that of an element above it, if that has a known one, and else by `ANY`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lxml import etree

from gateway.core.schematron.xpath import parse
from gateway.core.schematron.xpath_parts import PURE, Expression

ANY: Final = "*"
"""Stands for every name."""

Names = frozenset[str]

XSL: Final = "{http://www.w3.org/1999/XSL/Transform}"
NONE: Final[Names] = frozenset()
ALL: Final[Names] = frozenset({ANY})


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_UNREAD: Final = words(
    """
    base-uri count document-uri empty exists false generate-id has-children last local-name
    name namespace-uri node-name path position true
    """
)
"""Functions that ask of nodes no more than that they are there, and how they are called."""

_PASSED_ON: Final = words(
    """
    exactly-one head insert-before one-or-more remove reverse subsequence tail trace
    unordered zero-or-one
    """
)
"""Functions whose answer may be the very nodes they are given."""

_ATOMIC: Final = PURE | words(
    """
    adjust-date-to-timezone codepoint-equal current-date current-dateTime current-time
    dateTime day-from-date days-from-duration deep-equal error format-date format-number
    lang month-from-date normalize-unicode number resolve-QName round-half-to-even string
    system-property year-from-date QName
    """
)
"""Functions that read what they are given and answer with values."""

_OF_CONTEXT: Final = frozenset({"data", "normalize-space", "number", "string", "string-length"})
"""Functions that read the context item when they are given nothing."""

_DOWNWARDS: Final = frozenset({"child", "descendant", "descendant-or-self", "self"})
_BOUND: Final = re.compile(r"\$([\w.:-]+)\s+in\s*$")
_LOOKED_UP: Final = "q:looked-up"
_XPATH_3: Final = (
    (re.compile(r"Q\{[^{}'\"\s]*\}(?=[\w])"), "q:"),
    (re.compile(r"\$[\w.-]+\("), f"{_LOOKED_UP}("),
    (re.compile(r"map\{(?:\s*(?:'[^']*'|\d+)\s*[:,]?)*\}"), "()"),
)
"""What the reader of XPath 2 does not know, and what says the same of reading: the namespace before
a name; what is looked up in a map; a map of literals. (Functions in variables stay not understood
where they are made.)"""


class NotUnderstood(Exception):
    """Nothing can be said of the stylesheet."""


class Focus(NamedTuple):
    """The names the context item may have, and `current()`; and what local variables stand for."""

    item: Names
    current: Names
    variables: tuple[tuple[str, Names], ...] = ()

    def at(self, item: Names) -> Focus:
        """The same with another context item, as within a path."""
        return self._replace(item=item)


class Expressions:
    """Reads expressions, and keeps what they read and what is known of names in them."""

    def __init__(self, functions: list[etree._Element]) -> None:
        self.read: set[str] = set()
        self.variables: dict[str, Names] = {}
        self.keys: dict[str, Names] = {}
        self.results: dict[str, Names] = {}
        self._functions = {
            (local(str(each.get("name"))), len(each.findall(f"{XSL}param"))): each
            for each in functions
        }
        self.ambiguous = len(self._functions) < len(functions)

    def bind(self, name: str, names: Names) -> None:
        """A variable or parameter may stand for these as well."""
        self.variables[name] = names | self.variables.get(name, NONE)

    def names(self, text: str, focus: Focus) -> Names:
        """The names of the nodes an expression or a pattern stands for."""
        for form, known in _XPATH_3:
            text = form.sub(known, text)
        expression = parse(text)
        if expression is None:
            raise NotUnderstood
        return self._of(expression, text, focus)

    def _of(self, expression: Expression, text: str, focus: Focus) -> Names:
        parts = expression.parts
        match expression.kind:
            case "string" | "number":
                return NONE
            case "context":
                return focus.item
            case "root":
                return ALL
            case "variable":
                return self._variable(expression.name, focus)
            case "step":
                return _step(expression, focus.item)
            case "filter":
                names = self._of(parts[0], text, focus)
                for predicate in parts[1:]:
                    self._test(predicate, text, focus.at(names))
                    names = _narrowed(names, predicate)
                return names
            case "path":
                return self._path(expression, text, focus)
            case "call":
                return self._call(expression, text, focus)
            case "for":
                return self._for(expression, text, focus)
            case "if":
                self._test(parts[0], text, focus)
                return self._of(parts[1], text, focus) | self._of(parts[2], text, focus)
        return self._operands(expression, text, focus)

    def _test(self, expression: Expression, text: str, focus: Focus) -> None:
        """Only whether the expression's value is true counts: of a text, whether there is any."""
        kind, name, parts = expression.kind, expression.name, expression.parts
        if kind == "group" and not name:
            self._test(parts[0], text, focus)
        elif kind == "binary" and name in ("and", "or"):
            for part in parts:
                self._test(part, text, focus)
        elif kind == "call" and name in ("not", "boolean") and parts:
            self._test(parts[0], text, focus)
        elif kind == "call" and name in ("normalize-space", "string"):
            for part in parts:
                self._of(part, text, focus)
        elif kind == "for" and name != "for":
            self._for(expression, text, focus)
        else:
            self._of(expression, text, focus)

    def _operands(self, expression: Expression, text: str, focus: Focus) -> Names:
        """Of what is put together from parts that all have the same focus."""
        kind, operator = expression.kind, expression.name
        if kind == "binary" and operator in ("and", "or"):
            self._test(expression, text, focus)
            return NONE
        found = [self._of(part, text, focus) for part in expression.parts]
        if kind == "type" and text[expression.parts[0].end :].lstrip().startswith("instance"):
            return NONE
        names = NONE.union(*found)
        if kind == "sequence" or (kind == "group" and not operator):
            return names
        if kind == "binary" and operator in ("|", "union", "intersect", "except"):
            return names
        if kind == "binary" and operator in ("is", "<<", ">>"):
            return NONE
        self.read |= names
        return names if operator == "mixed" or kind == "type" else NONE

    def _path(self, expression: Expression, text: str, focus: Focus) -> Names:
        names = focus.item
        for part in expression.parts:
            names = self._of(part, text, focus.at(names))
        return names

    def _variable(self, name: str, focus: Focus) -> Names:
        for known, names in reversed(focus.variables):
            if known == name:
                return names
        return self.variables.get(name, NONE)

    def _for(self, expression: Expression, text: str, focus: Focus) -> Names:
        for part in expression.parts[:-1]:
            bound = _BOUND.search(text[expression.start : part.start])
            if bound is None:
                raise NotUnderstood
            names = self._of(part, text, focus)
            focus = focus._replace(variables=(*focus.variables, (bound[1], names)))
        if expression.name == "for":
            return self._of(expression.parts[-1], text, focus)
        self._test(expression.parts[-1], text, focus)
        return NONE

    def _call(self, expression: Expression, text: str, focus: Focus) -> Names:
        name, arguments = expression.name.removeprefix("fn:"), expression.parts
        if name == "current" and not arguments:
            return focus.current
        if name in ("not", "boolean"):
            self._test(arguments[0], text, focus)
            return NONE
        found = [self._of(argument, text, focus) for argument in arguments]
        if name in _UNREAD:
            return NONE
        if name in _PASSED_ON:
            self.read |= NONE.union(*found[1:])
            return found[0] if found else NONE
        function = self._functions.get((local(name), len(found))) if ":" in name else None
        if function is not None:
            return self._own_call(function, found)
        self.read |= NONE.union(*found)
        if name in _OF_CONTEXT and not arguments:
            self.read |= focus.item
        if name == "key":
            return NONE.union(*self.keys.values()) or ALL
        known = name in _ATOMIC or name == _LOOKED_UP or name.startswith("xs:")
        return NONE if known else ALL

    def _own_call(self, function: etree._Element, arguments: list[Names]) -> Names:
        """A call of a function of the stylesheet: its parameters stand for what it is given."""
        for parameter, names in zip(function.findall(f"{XSL}param"), arguments, strict=True):
            if _is_atomic(parameter):
                self.read |= names
            else:
                self.bind(str(parameter.get("name")), names)
        return NONE if _is_atomic(function) else self.results.get(str(function.get("name")), NONE)


def local(name: str) -> str:
    """A name without its prefix or namespace."""
    return name.rpartition("}")[2].rpartition(":")[2]


def _is_atomic(declared: etree._Element) -> bool:
    """Whether what it is declared `as` are values, into which nodes are turned by reading them."""
    return (declared.get("as") or "").startswith("xs:")


def _step(expression: Expression, context: Names) -> Names:
    """The names of the elements a step leads to.

    A node of unknown name goes by that of an element it is in: its text is within that one's.
    """
    test, axis = expression.name, expression.axis
    if axis == "attribute" or test in ("comment()", "processing-instruction()"):
        return NONE
    if test.endswith(("*", ")")):
        return context if axis in _DOWNWARDS else ALL
    return frozenset({local(test)})


def _narrowed(names: Names, predicate: Expression) -> Names:
    """The names left of any where the predicate, or a part that must hold, asks for an ending."""
    if ANY not in names:
        return names
    wanted = predicate.parts if predicate.name == "and" else (predicate,)
    for part in wanted:
        if part.kind == "call" and part.name == "ends-with" and len(part.parts) == 2:
            called, ending = part.parts
            named = called.kind == "call" and called.name in ("name", "local-name")
            if named and not called.parts and ending.kind == "string":
                ending_text = ending.name.strip("'\"")
                if ending_text.isalnum():
                    return names - ALL | {ANY + ending_text}
    return names
