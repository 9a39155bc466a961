"""Which nodes can a match pattern of XSLT match at all? Its last steps tell, without running it.

The context of a Schematron rule becomes the `match` of a template. Only the plain shape of such
patterns is understood here: paths of named steps on the child and attribute axes, joined with
`|`, with parentheses and predicates anywhere. Of everything else (text(), comment(), key(…), `.`,
the document node, the keyword union) nothing is claimed.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_NAME: Final = r"[^\W\d][\w.-]*+"
_TOKEN: Final = re.compile(
    rf"""\s*+(?:
      (?P<axis>(?:child|attribute)\s*+::)
    | (?P<test>(?>(?:(?:{_NAME}|\*):)?(?:{_NAME}|\*)))(?!\s*[(:])
    | (?P<symbol>//|[/|()@[])
    )""",
    re.VERBOSE,
)
_PIECE: Final = re.compile(r"""[^\[\]"'(]++|"[^"]*+"|'[^']*+'|\((?!:)|\[|\]""")
_PLAIN: Final = re.compile(rf"\s*(?P<start>/?/?)\s*(?P<name>(?:{_NAME}:)?{_NAME})\s*")


class Step(NamedTuple):
    """The last step of a path: a QName or a wildcard (`*`, `p:*`, `*:n`) as written."""

    test: str
    attribute: bool = False


def last_steps(match: str) -> tuple[Step, ...] | None:
    """The last step of each alternative of a match pattern; None when it is not understood.

    A node that matches the pattern fits at least one of them.
    """
    reader = _Reader(match)
    steps = reader.pattern()
    return tuple(steps) if steps is not None and reader.at_end() else None


def plain_paths(match: str) -> tuple[str, ...]:
    """Paths to elements that match for their name alone; () unless the whole pattern is so plain.

    If one of the paths finds a node, that node matches.
    """
    found = [_PLAIN.fullmatch(part) for part in match.split("|")]
    if not all(found):
        return ()
    return tuple((part["start"] or "//") + part["name"] for part in found if part)


def without_predicates(expression: str) -> str | None:
    """An XPath expression without its string literals and what stands in brackets.

    None when it holds comments, or its brackets and quotes do not close.
    """
    kept, depth, at = [], 0, 0
    while at < len(expression):
        piece = _PIECE.match(expression, at)
        if piece is None:
            return None
        depth += _deeper(piece[0])
        if depth < 0:
            return None
        if depth == 0:
            kept.append(" " if piece[0][0] in "\"']" else piece[0])
        at = piece.end()
    return "".join(kept) if depth == 0 else None


def _deeper(piece: str) -> int:
    return {"[": 1, "]": -1}.get(piece, 0)


class _Reader:
    """Reads a pattern from left to right. Every method answers None for what it does not know."""

    def __init__(self, match: str) -> None:
        self._text = match
        self._at = 0

    def at_end(self) -> bool:
        return not self._text[self._at :].strip()

    def pattern(self) -> list[Step] | None:
        """Alternatives joined with `|`."""
        found: list[Step] = []
        while True:
            alternative = self._path()
            if alternative is None:
                return None
            found += alternative
            if not self._take("|"):
                return found

    def _path(self) -> list[Step] | None:
        self._take("//", "/")
        steps = self._step()
        while steps is not None and self._take("//", "/"):
            steps = self._step()
        return steps

    def _step(self) -> list[Step] | None:
        if self._take("("):
            steps = self.pattern()
            if steps is None or not self._take(")"):
                return None
        else:
            at_sign = self._take("@")
            axis = "" if at_sign else self._next("axis")
            test = self._next("test")
            if not test:
                return None
            steps = [Step(test, attribute=bool(at_sign) or axis.startswith("attribute"))]
        while self._take("["):
            if not self._skip_predicate():
                return None
        return steps

    def _skip_predicate(self) -> bool:
        depth = 1
        while depth:
            piece = _PIECE.match(self._text, self._at)
            if piece is None:
                return False
            depth += _deeper(piece[0])
            self._at = piece.end()
        return True

    def _take(self, *symbols: str) -> str:
        token = _TOKEN.match(self._text, self._at)
        if token is None or token["symbol"] not in symbols:
            return ""
        self._at = token.end()
        return token["symbol"]

    def _next(self, kind: str) -> str:
        token = _TOKEN.match(self._text, self._at)
        if token is None or not token[kind]:
            return ""
        self._at = token.end()
        return token[kind]
