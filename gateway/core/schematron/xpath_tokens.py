"""The tokens of an XPath 2.0 expression, and a place among them."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = r"[^\W\d][\w.-]*+"
_TOKEN: Final = re.compile(
    rf"""\s*+(?:
      (?P<string>"(?:[^"]|"")*+"|'(?:[^']|'')*+')
    | (?P<number>(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?)
    | (?P<variable>\$(?:{_NAME}:)?{_NAME})
    | (?P<axis>{_NAME}(?=\s*+::))
    | (?P<name>(?:\*:{_NAME}|{_NAME}:\*|(?:{_NAME}:)?{_NAME}))
    | (?P<symbol>\(:|::|//|\.\.|!=|<=|>=|<<|>>|[][()/@.,|=<>+*?-])
    )""",
    re.VERBOSE,
)


class UnknownError(Exception):
    """The expression is of no known form."""


class Tokens:
    """A reader's place among the tokens of one expression. Raises UnknownError."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, int, int]] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None or match[match.lastgroup] in ("(:", "?"):
                raise UnknownError
            kind = match.lastgroup
            self._tokens.append((kind, match[kind], match.start(kind), match.end(kind)))
            at = match.end()
        self._tokens.append(("end", "", end, end))
        self._at = 0

    @property
    def kind(self) -> str:
        """What the token is: "string", "number", …; "end" past the last."""
        return self._tokens[self._at][0]

    @property
    def text(self) -> str:
        """The token as written."""
        return self._tokens[self._at][1]

    @property
    def start(self) -> int:
        """Where the token starts."""
        return self._tokens[self._at][2]

    @property
    def end(self) -> int:
        """Where the token before ends."""
        return self._tokens[self._at - 1][3]

    def is_at(self, *texts: str) -> bool:
        """Whether the token is one of these names or symbols."""
        return self.kind in ("symbol", "name") and self.text in texts

    def following(self) -> str:
        """The token after this one, as written."""
        return self._tokens[self._at + 1][1] if self.kind != "end" else ""

    def take(self, *texts: str) -> bool:
        """Go past the token if it is one of these."""
        if self.is_at(*texts):
            self._at += 1
            return True
        return False

    def expect(self, *texts: str) -> None:
        """Go past the token, which must be one of these."""
        if not self.take(*texts):
            raise UnknownError

    def expect_kind(self, kind: str) -> str:
        """Go past the token, which must be of that kind; return it."""
        if self.kind != kind:
            raise UnknownError
        self._at += 1
        return self._tokens[self._at - 1][1]

    def expect_end(self) -> None:
        """There must be no more tokens."""
        if self.kind != "end":
            raise UnknownError
