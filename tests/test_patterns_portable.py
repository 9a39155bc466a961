"""Every regular expression of ours means the same with Debian 12's Python.

Before 3.11.5 a possessive quantifier, or an atomic group, around something that can fail half-way
goes on behind what it gave up (python/cpython issue 106052). Around single characters both are
right. Where more stands in one, it is named below, with why it cannot fail half-way.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

from gateway.core.places import _TAG
from tests.test_patterns_linear import codes, parser, patterns

ONE_CHARACTER = {codes.IN, codes.LITERAL, codes.NOT_LITERAL, codes.ANY}
WHOLE: dict[str, str] = {
    "gateway.cli.cutover_keys:_WORD": "a quoted piece ends with a quote, a backslash or the line",
    "gateway.core.places:_TAG": "a quoted value ends with its quote or with the text",
    "gateway.core.schematron.matching:_TOKEN": "what is optional in it comes first, and is tried "
    "by an ordinary group; only the whole is atomic",
    "gateway.core.schematron.xpath_tokens:_TOKEN": "a doubled quote is two literals, in which "
    "nothing is repeated",
}
"""module:name → why what stands in the possessive quantifier or atomic group is safe."""


def wide(tokens: Any) -> Iterator[Any]:
    """The possessive and atomic parts that hold more than one character."""
    for kind, value in tokens:
        if kind is codes.POSSESSIVE_REPEAT:
            inner = value[2]
            if len(inner) != 1 or inner[0][0] not in ONE_CHARACTER:
                yield inner
            yield from wide(inner)
        elif kind is codes.ATOMIC_GROUP:
            yield value
            yield from wide(value)
        elif kind in {codes.MAX_REPEAT, codes.MIN_REPEAT}:
            yield from wide(value[2])
        elif kind is codes.SUBPATTERN:
            yield from wide(value[3])
        elif kind in {codes.ASSERT, codes.ASSERT_NOT}:
            yield from wide(value[1])
        elif kind is codes.BRANCH:
            for branch in value[1]:
                yield from wide(branch)
        elif kind is codes.GROUPREF_EXISTS:
            for branch in value[1:]:
                yield from wide(branch or ())


def parsed(pattern: str | bytes, flags: int = 0) -> Any:
    """Its tree, as Python's own compiler sees it."""
    return parser.parse(pattern, flags)


def test_possessive_is_only_what_debian_12_gets_right() -> None:
    """And nothing is named that needs no reason any more."""
    found = {
        name
        for name, held in patterns()
        if any(wide(parsed(held.pattern.pattern, held.pattern.flags)))
    }
    assert found == set(WHOLE)


def test_what_goes_wrong_there_is_found() -> None:
    """The examples of the issue; and what is right everywhere is let be."""
    for wrong in ("(?>(?:ab?c)+)", "(?:ab?c)++", "x(?:(?=(?:ab?c)?+))", "(a|(?:ab?c){1,3}+)"):
        assert any(wide(parsed(wrong))), wrong
    for right in ("[ab]++c", "a*+", ".?+x", "(?:ab?c)+", r"(\w++)*"):
        assert not any(wide(parsed(right))), right


def test_a_tag_with_very_many_attributes_takes_no_memory() -> None:
    """A quantifier that gives nothing back remembers nothing."""
    tag = b"<a " + b" ".join(b'a%d="1"' % number for number in range(100_000)) + b">"
    tracemalloc.start()
    try:
        assert _TAG.match(tag)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100_000
    assert not _TAG.match(tag[:-1])
    assert not _TAG.match(tag[:-2] + b">"), "a value that does not end"
