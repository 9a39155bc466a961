"""What an XPath expression depends on, and that what is not understood is refused."""

from __future__ import annotations

import pytest

from gateway.core.schematron.xpath import parse
from gateway.core.schematron.xpath_parts import Expression


def parsed(text: str) -> Expression:
    expression = parse(text)
    assert expression is not None
    return expression


@pytest.mark.parametrize(
    ("text", "focus", "root"),
    [
        ("p:line", True, False),
        ("@x", True, False),
        (".", True, False),
        ("..", True, False),
        ("1 + 2", False, False),
        ("'a/b'", False, False),
        ("()", False, False),
        ("/p:order/p:line", False, True),
        ("/", False, True),
        ("//p:line[p:ID = 1]/@x", False, True),
        ("//p:line[/p:order]", False, True),
        ("$a/p:line", False, False),
        ("$a[p:line = /p:order]", False, True),
        ("p:line[/p:order]", True, True),
        ("count(//p:line) = 2", False, True),
        ("count(p:line) = 2", True, False),
        ("name()", True, False),
        ("true()", False, False),
        ("name(//p:line[1])", False, True),
        ("position() = 1", True, False),
        ("if (//p:line) then 1 else p:line", True, True),
        ("for $l in //p:line return $l/p:ID", False, True),
        ("some $l in p:line satisfies $l = //p:line", True, True),
        ("-p:amount", True, False),
        ("//p:line/(p:a | p:b)/xs:decimal(.)", False, True),
        ("/p:order div 2", False, True),
        ("//p:amount cast as xs:decimal", False, True),
        ("child::p:line", True, False),
        ("text()", True, False),
        ("*:line", True, False),
    ],
)
def test_what_an_expression_depends_on(text: str, focus: bool, root: bool) -> None:
    """On the context item, or on the document it is of: predicates and later steps do not count."""
    found = parsed(text)
    assert (found.focus, found.root) == (focus, root)


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("$a + $p:b", {"a", "p:b"}),
        ("//p:line[@x = $a]/p:ID[. = $b]", {"a", "b"}),
        ("for $a in $b return $a", {"b"}),
        ("for $a in $a return $a", {"a"}),
        ("for $a in 1, $b in $a return $b + $c", {"c"}),
        ("every $a in //p:x satisfies some $b in $a satisfies $b = $a", set()),
        ("(some $a in 1 satisfies $a = 1) and $a", {"a"}),
    ],
)
def test_variables_from_outside(text: str, variables: set[str]) -> None:
    """What a loop names is its own, from the next clause on."""
    assert parsed(text).variables == variables


def test_calls_are_told_with_and_without_arguments() -> None:
    """`name()` speaks of the node at hand, `name($a)` does not."""
    assert parsed("name() = p:f(name($a), last())").calls == {"name()", "p:f", "name", "last()"}


@pytest.mark.parametrize(
    "text",
    [
        "//p:a[@x = 'it''s']/p:b | p:c",
        " not ( $a ) or count(p:b)-1 > 2 ",
        "p:a-b - 1",
        "concat(\"]\", '(', p:a)",
        "if(p:a) then p:b else (p:c, p:d)",
    ],
)
def test_parts_say_where_they_stand(text: str) -> None:
    """The text of every part is an expression of the same kind."""
    for part in parsed(text).walk():
        alone = parse(text[part.start : part.end].strip())
        assert part.kind == "root" or alone is not None
        assert part.kind == "root" or alone is None or alone.kind == part.kind


def test_operators_bind_as_they_should() -> None:
    """`or` is looser than `and`, that than a comparison, that than arithmetic, and so on."""
    found = parsed("1 + 2 * 3 = 4 and $a or $b | $c")
    assert (found.name, [part.name for part in found.parts]) == ("or", ["and", "|"])
    comparison = found.parts[0].parts[0]
    assert (comparison.name, comparison.parts[0].name) == ("=", "+")
    assert comparison.parts[0].parts[1].name == "*"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(: a comment :) p:a",
        "p:a[",
        "p:a]",
        "'open",
        "p:a || p:b",
        "let $a := 1 return $a",
        "map { 'a': 1 }",
        "$a ! name()",
        "$a => count()",
        "function($a) { $a }",
        "p:f#1",
        "namespace::p",
        "element(p:a)",
        "p:a instance of element(p:a, xs:string)",
        "p:a cast as xs:decimal?",
        "$a[1](2)",
        "{p:a}",
        "p:a p:b",
        "1 to",
        "(" * 5000 + ")" * 5000,
    ],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    """No half of an expression is ever answered for."""
    assert parse(text) is None
