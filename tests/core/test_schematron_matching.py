"""Reading match patterns: what can match, and when nothing may be claimed."""

from __future__ import annotations

import pytest

from gateway.core.schematron.matching import Step, last_steps, plain_paths, without_predicates


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("cac:Party", ["cac:Party"]),
        ("/u:Invoice | /c:CreditNote", ["u:Invoice", "c:CreditNote"]),
        ("//a/b//c", ["c"]),
        ("*", ["*"]),
        ("//p:*[ends-with(name(), 'ID')]", ["p:*"]),
        ("*:n", ["*:n"]),
        ("child :: a / child::b", ["b"]),
        ("a[b = '|'] | c[d | e]/f", ["a", "f"]),
        ("a[']'][\"]\"][x[1]]", ["a"]),
        ("(a|b/c)[1]", ["a", "c"]),
        ("(a | b)/(c | d[e])/f", ["f"]),
        ("a/(b | (c | d))", ["b", "c", "d"]),
        ("text", ["text"]),
        ("élément.1-b", ["élément.1-b"]),
    ],
)
def test_the_last_steps_of_elements(match: str, expected: list[str]) -> None:
    """Every alternative gives the name that a matching element must have."""
    assert last_steps(match) == tuple(Step(test) for test in expected)


@pytest.mark.parametrize("match", ["a/@b", "@b", "a/attribute::b", "a[@c]/@b[. = 'x']"])
def test_the_last_step_of_an_attribute(match: str) -> None:
    """Attributes are told from elements."""
    assert last_steps(match) == (Step("b", attribute=True),)


@pytest.mark.parametrize(
    "match",
    [
        *("", "/", "a/", "a |", "a b", "a//", "(a", "a)", "a[", "a]", "a['x]"),
        *("text()", "a/text()", "node()", "comment()", "document-node()", "element(a)"),
        *("processing-instruction('x')", "id('x')", "key('k', 'v')", "key('k', 'v')/a"),
        *("self::a", "descendant::a", "a/descendant-or-self::b", ".", "..", "a/..", "$x", "$x/a"),
        *(".[self::a]", "Q{urn:x}a", "a union b", "a intersect b", "a except b"),
        *("a (: comment :)", "a[(: ' :)]", "@child::a", "a,b", "5", "'a'"),
    ],
)
def test_nothing_is_claimed_of_other_patterns(match: str) -> None:
    """What is not a plain path is not understood, whether it is allowed or not."""
    assert last_steps(match) is None


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("p:a", ("//p:a",)),
        ("a", ("//a",)),
        ("/p:a | p:b|//p:c", ("/p:a", "//p:b", "//p:c")),
        ("p:a[1]", ()),
        ("p:a/p:b", ()),
        ("p:a | p:b[x | y]", ()),
        ("*", ()),
        ("@a", ()),
        ("text()", ()),
    ],
)
def test_paths_that_match_for_sure(match: str, expected: tuple[str, ...]) -> None:
    """Only a name without any condition matches whenever it is there."""
    assert plain_paths(match) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a/b", "a/b"),
        ("a[position() = 1]/b", "a /b"),
        ("a['['] = last()", "a = last()"),
        ("concat('[', \"]\")", "concat( , )"),
        ("a[b[1]][2]", "a"),
        ("a]", None),
        ("a[", None),
        ("'a", None),
        ("a (: [ :)", None),
    ],
)
def test_what_stands_outside_of_predicates(expression: str, expected: str | None) -> None:
    """Literals and predicates fall away; what is not well-formed is not guessed at."""
    found = without_predicates(expression)
    assert (found and " ".join(found.split())) == (expected and " ".join(expected.split()))
