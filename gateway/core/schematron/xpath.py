"""Reads XPath 2.0 expressions, far enough to say what they depend on.

A compiler that moves an expression must know three things of it: which variables it needs, whether
it speaks of the node at hand, and whether it calls anything that is not known to give the same
answer everywhere. That is what a parsed `Expression` tells, for itself and for each of its parts,
with the place of each part in the text. What is not understood (comments, XPath 3, odd node tests)
is refused as a whole: `parse` answers None, and nothing is claimed.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Final

from gateway.core.schematron.xpath_parts import Expression, combined
from gateway.core.schematron.xpath_tokens import Tokens, UnknownError

_BINARY: Final[tuple[frozenset[str], ...]] = tuple(
    frozenset(operators.split())
    for operators in (
        "or",
        "and",
        "= != < <= > >= eq ne lt le gt ge is << >>",
        "to",
        "+ -",
        "* div idiv mod",
        "| union",
        "intersect except",
    )
)
"""Operators by precedence, the loosest first."""

_LEVELS: Final = {name: level for level, names in enumerate(_BINARY) for name in names}

_TYPED: Final = ("instance", "treat", "castable", "cast")
_AXES: Final = frozenset(
    [
        "child",
        "descendant",
        "attribute",
        "self",
        "descendant-or-self",
        "following-sibling",
        "following",
        "parent",
        "ancestor",
        "preceding-sibling",
        "preceding",
        "ancestor-or-self",
    ]
)
_NODE_TESTS: Final = frozenset({"node", "text", "comment", "processing-instruction"})
_ELSEWHERE: Final = frozenset({"element", "attribute", "document-node", "item", "schema-element"})


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Expression | None:
    """The expression; None when it is of no known form.

    Remembered, for several rewritings read the same: who is done calls `parse.cache_clear`.
    """
    try:
        parser = _Parser(text)
        expression = parser.sequence()
        parser.expect_end()
    except (UnknownError, RecursionError):
        return None
    return expression


class _Parser(Tokens):
    """Recursive descent over the tokens of one expression."""

    def sequence(self) -> Expression:
        start = self.start
        parts = [self._single()]
        while self.take(","):
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else combined("sequence", start, self.end, *parts)

    def _single(self) -> Expression:
        if self.is_at("for", "some", "every") and self.following().startswith("$"):
            return self._for()
        if self.is_at("if") and self.following() == "(":
            return self._if()
        return self._binary(0)

    def _for(self) -> Expression:
        start, word = self.start, self.text
        self._at += 1
        parts: list[Expression] = []
        bound, free = set[str](), set[str]()
        while True:
            variable = self.expect_kind("variable")[1:]
            self.expect("in")
            parts.append(self._single())
            free |= parts[-1].variables - bound
            bound.add(variable)
            if not self.take(","):
                break
        self.expect("return" if word == "for" else "satisfies")
        parts.append(self._single())
        free |= parts[-1].variables - bound
        made = combined("for", start, self.end, *parts, name=word)
        return replace(made, variables=frozenset(free))

    def _if(self) -> Expression:
        start = self.start
        self._at += 1
        self.expect("(")
        test = self.sequence()
        self.expect(")")
        self.expect("then")
        then = self._single()
        self.expect("else")
        otherwise = self._single()
        return combined("if", start, self.end, test, then, otherwise)

    def _binary(self, loosest: int) -> Expression:
        """Operands joined by operators that bind no looser than that level."""
        start = self.start
        left = self._typed()
        while (level := self._level()) >= loosest:
            parts, name = [left], ""
            while self._level() == level:
                name = self.text if name in ("", self.text) else "mixed"
                self._at += 1
                parts.append(self._binary(level + 1))
            left = combined("binary", start, self.end, *parts, name=name)
        return left

    def _level(self) -> int:
        return _LEVELS.get(self.text, -1) if self.kind in ("symbol", "name") else -1

    def _typed(self) -> Expression:
        start = self.start
        expression = self._unary()
        while self.is_at(*_TYPED) and self.following() in ("of", "as"):
            self._at += 2
            self._type()
            expression = combined("type", start, self.end, expression)
        return expression

    def _type(self) -> None:
        name = self.expect_kind("name")
        if self.take("("):
            if name not in _ELSEWHERE | _NODE_TESTS:
                raise UnknownError
            self.expect(")")
        if self.kind == "symbol" and self.text in ("?", "*", "+"):
            raise UnknownError  # An operator, or an occurrence? Nobody writes it; nobody guesses.

    def _unary(self) -> Expression:
        start = self.start
        signed = False
        while self.take("+", "-"):
            signed = True
        path = self._path()
        return combined("group", start, self.end, path, name="sign") if signed else path

    def _path(self) -> Expression:
        start = self.start
        steps: list[Expression] = []
        if self.take("/", "//"):
            slashes = self._tokens[self._at - 1][1]
            steps.append(Expression("root", start, self.end, name=slashes, root=True))
            if slashes == "/" and not self._at_step():
                return combined("path", start, self.end, *steps)
        steps.append(self._step())
        while self.take("/", "//"):
            steps.append(self._step())
        if len(steps) == 1:
            return steps[0]
        return combined("path", start, self.end, *steps, focus=steps[0].focus)

    def _at_step(self) -> bool:
        return self.kind in ("axis", "name", "string", "number", "variable") or self.is_at(
            "*", "@", ".", "..", "("
        )

    def _step(self) -> Expression:
        start = self.start
        step = self._axis_step() or self._primary()
        predicates = []
        while self.take("["):
            predicates.append(self.sequence())
            self.expect("]")
        if not predicates:
            return step
        return combined("filter", start, self.end, step, *predicates, focus=step.focus)

    def _axis_step(self) -> Expression | None:
        start = self.start
        if self.take(".."):
            return Expression("step", start, self.end, name="node()", axis="parent", focus=True)
        axis = "child"
        if self.kind == "axis":
            axis = self.expect_kind("axis")
            self.expect("::")
            if axis not in _AXES:
                raise UnknownError
        elif self.take("@"):
            axis = "attribute"
        elif self.kind == "name":
            if self.following() == "(" and self.text not in _NODE_TESTS:
                return None
        elif not self.is_at("*"):
            return None
        if self.take("*"):
            test = "*"
        else:
            test = self.expect_kind("name")
            if self.take("("):
                if test not in _NODE_TESTS:
                    raise UnknownError
                self.expect(")")
                test += "()"
        return Expression("step", start, self.end, name=test, axis=axis, focus=True)

    def _primary(self) -> Expression:
        start, kind, text = self.start, self.kind, self.text
        self._at += 1
        if kind in ("string", "number"):
            return Expression(kind, start, self.end, name=text)
        if kind == "variable":
            names = frozenset({text[1:]})
            return Expression(kind, start, self.end, name=text[1:], variables=names)
        if kind == "name" and self.is_at("("):
            return self._call(start, text)
        if kind == "symbol" and text == ".":
            return Expression("context", start, self.end, focus=True)
        if kind == "symbol" and text == "(":
            if self.take(")"):
                return Expression("sequence", start, self.end)
            inner = self.sequence()
            self.expect(")")
            return combined("group", start, self.end, inner)
        raise UnknownError

    def _call(self, start: int, name: str) -> Expression:
        if name in _ELSEWHERE:
            raise UnknownError
        self.expect("(")
        arguments = []
        if not self.take(")"):
            arguments.append(self._single())
            while self.take(","):
                arguments.append(self._single())
            self.expect(")")
        made = combined("call", start, self.end, *arguments, name=name)
        if not arguments and name not in ("true", "false"):
            # name(), position(), …: they speak of the node at hand, or nobody knows of what.
            return replace(made, focus=True, calls=frozenset({f"{name}()"}))
        return replace(made, calls=made.calls | {name})
