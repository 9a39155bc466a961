"""Names inside XPath: variables that must not meet, and the prefixes that contexts are about.

Only variables (`$name`) and prefixes are told apart here, and both from string literals and
comments; XPath itself is left to the XSLT compiler.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from gateway.core.schematron.source_model import Schema

Renaming = Mapping[str, str]
"""Name of a variable in the source → its name in the stylesheet, where that is another."""

_NCNAME: Final = r"[^\W\d][\w.-]*+"
_LITERAL: Final = r""""[^"]*"|'[^']*'|\(:.*?:\)"""
_VARIABLE: Final = re.compile(
    rf"(?P<literal>{_LITERAL})|\$\s*+(?P<name>(?:{_NCNAME}:)?{_NCNAME})", re.DOTALL
)
_PREFIX: Final = re.compile(
    rf"(?P<literal>{_LITERAL})|(?<![\w.$-])(?P<prefix>{_NCNAME}):(?=[\w*])(?!\w+\()", re.DOTALL
)
_CALL: Final = re.compile(
    rf"(?P<literal>{_LITERAL})|(?<![\w.$@/:-])(?:fn:)?(?P<name>{_NCNAME})\s*+(?=\(|\#\d)", re.DOTALL
)


def renamings(schema: Schema) -> list[Renaming]:
    """For each pattern, what its variables are called: in the stylesheet all share one scope."""
    scopes = [[let.name for let in schema.lets]]
    scopes[0] += [str(node.element.get("name")) for node in schema.xslt]
    scopes += [[let.name for let in pattern.lets] for pattern in schema.patterns]
    counted = Counter(name for scope in scopes for name in scope)
    return [
        {name: f"{name}-of-pattern-{number}" for name in scope if counted[name] > 1}
        for number, scope in enumerate(scopes[1:], start=1)
    ]


def renamed(xpath: str, renaming: Renaming) -> str:
    """The expression, with its variables renamed: also those it binds itself, which is harmless."""
    if not renaming:
        return xpath

    def replaced(match: re.Match[str]) -> str:
        name = match["name"]
        return f"${renaming[name]}" if name in renaming else match[0]

    return _VARIABLE.sub(replaced, xpath)


def prefixes_in(xpath: str) -> Iterator[str]:
    """The prefixes of element and attribute names."""
    for match in _PREFIX.finditer(xpath):
        if match["prefix"]:
            yield match["prefix"]


def calls_in(xpath: str) -> Iterator[str]:
    """The names of the functions of XPath and XSLT that are called, or referred to with #."""
    for match in _CALL.finditer(xpath):
        if match["name"]:
            yield match["name"]
