"""What is known of an XPath expression, and of each of its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

PURE: Final = frozenset(
    [
        "abs",
        "avg",
        "boolean",
        "ceiling",
        "codepoints-to-string",
        "compare",
        "concat",
        "contains",
        "count",
        "data",
        "distinct-values",
        "empty",
        "ends-with",
        "exactly-one",
        "exists",
        "false",
        "floor",
        "index-of",
        "local-name",
        "lower-case",
        "matches",
        "max",
        "min",
        "name",
        "namespace-uri",
        "normalize-space",
        "not",
        "number",
        "one-or-more",
        "replace",
        "reverse",
        "round",
        "starts-with",
        "string",
        "string-join",
        "string-length",
        "string-to-codepoints",
        "subsequence",
        "substring",
        "substring-after",
        "substring-before",
        "sum",
        "tokenize",
        "translate",
        "true",
        "upper-case",
        "zero-or-one",
    ]
)
"""Functions whose answer depends on their arguments only, once they have any."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A part of an XPath expression, `text[start:end]` of what was parsed.

    `kind`: "path", "step", "filter", "call", "group" (in parentheses), "sequence", "binary",
    "for", "if", "variable", "string", "number", "context", "root", "type".
    `name`: of a call, a variable or the operator of a binary; of a step, its test as written.
    `focus`: it depends on the context item. `root`: on the document the context item is of.
    `variables`: those it takes from outside, without `$`. `calls`: names of all functions called.
    `axis`: of a step.
    """

    kind: str
    start: int
    end: int
    parts: tuple[Expression, ...] = ()
    name: str = ""
    axis: str = ""
    focus: bool = False
    root: bool = False
    variables: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()

    def walk(self) -> Iterator[Expression]:
        """The expression and all its parts, the whole first."""
        yield self
        for part in self.parts:
            yield from part.walk()


def combined(
    kind: str,
    start: int,
    end: int,
    *parts: Expression,
    focus: bool | None = None,
    name: str = "",
) -> Expression:
    """An expression that depends on what its parts depend on. `focus`: unless that says so."""
    return Expression(
        kind,
        start,
        end,
        parts,
        name=name,
        focus=any(part.focus for part in parts) if focus is None else focus,
        root=any(part.root for part in parts),
        variables=frozenset().union(*(part.variables for part in parts)),
        calls=frozenset().union(*(part.calls for part in parts)),
    )
