"""The place of a finding, asked of the engine instead of spelled by templates, is the same."""

from __future__ import annotations

import time

import pytest

from gateway.core.schematron.locating import MANY
from gateway.core.schematron.svrl import PATH
from tests.both_ways import BothWays
from tests.mini_skeleton import Rule, stylesheet

NEVER = {"R": "false()"}
ANY = stylesheet([Rule("*", NEVER)])


def _document(lines: int) -> bytes:
    """Lines of two namespaces and of none, mixed, with others between and inside."""
    kinds = (
        "<p:line><p:line/><line/></p:line>",
        "<same:line/>",
        "<foreign:line><p:note/><p:line/></foreign:line>",
        "<line><line/><p:line/></line>",
        "<!-- p:line --><p:note/>text",
    )
    inner = "".join(kinds[number % len(kinds)] for number in range(lines))
    return (
        '<o:order xmlns:o="urn:test:order" xmlns:p="urn:test:part" xmlns:same="urn:test:part"'
        f' xmlns:foreign="urn:test:foreign">{inner}<p:group>{inner}</p:group></o:order>'
    ).encode()


@pytest.mark.parametrize("lines", [0, 7, MANY - 2, MANY - 1, MANY, 3 * MANY])
def test_places_are_spelled_as_the_skeleton_does(lines: int) -> None:
    """Counted by the engine below so many children, looked up from there on."""
    both = BothWays(ANY)
    assert f'name="{PATH}"' in both.rewriting.stylesheet

    shipped, found = both.answers(_document(lines))

    assert found == shipped
    assert not isinstance(found, str)
    assert len({violation.location for violation in found}) == len(found)
    assert found[0].location == "/*:order[namespace-uri()='urn:test:order'][1]"
    if lines:
        assert found[2].location.endswith("/*:line[namespace-uri()='urn:test:part'][1]")
        assert found[3].location.endswith("/line[1]")


def test_a_namespace_may_be_any_text() -> None:
    """What looks like the end of a name, or the start of another step, is the namespace's."""
    document = b"""<a xmlns="x}y"><b xmlns="it's"/><c xmlns="/Q{z"/><d xmlns="[1]"/></a>"""
    shipped, found = BothWays(ANY).answers(document)
    assert found == shipped
    assert len(found) == 4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1+ $preceding", "$preceding"),
        ("<xsl:text>*:</xsl:text>", "<xsl:text>*|</xsl:text>"),
        ('match="*" mode="schematron-get', 'match="p:*" mode="schematron-get'),
        ('<xsl:apply-templates select="." mode="schematron-get-full-path"/>', "<xsl:text/>"),
        ('select="." mode="schematron-select', 'select=".." mode="schematron-select'),
    ],
)
def test_another_spelling_is_left_as_it_is(old: str, new: str) -> None:
    """Only what is word for word the skeleton's is replaced."""
    assert old in ANY
    both = BothWays(ANY.replace(old, new))
    assert PATH not in both.rewriting.stylesheet
    shipped, found = both.answers(_document(7))
    assert found == shipped


def test_a_rule_that_may_be_about_attributes_keeps_its_templates() -> None:
    """path() has another spelling for them; the skeleton has a template."""
    both = BothWays(
        stylesheet([Rule("p:line/@x", NEVER)], [Rule("p:line", {"S": "false()"})], walk="@*|*")
    )
    shipped, found = both.answers(b'<p:line xmlns:p="urn:test:part" x="1"/>')
    assert found == shipped
    assert len(found) == 2
    assert both.rewriting.stylesheet.count(f'name="{PATH}"') == 1


def test_places_of_many_findings_take_linear_time() -> None:
    """Four times as many lines that fail take about four times as long, not sixteen."""
    both = BothWays(stylesheet([Rule("p:line", NEVER)]))

    def seconds(lines: int) -> float:
        document = f'<p:a xmlns:p="urn:test:part">{"<p:line/>" * lines}</p:a>'.encode()
        taken = []
        for _ in range(3):
            started = time.process_time()
            assert len(both.rewritten(document)) == lines
            taken.append(time.process_time() - started)
        return min(taken)

    assert seconds(16_000) < 9 * seconds(4_000)
