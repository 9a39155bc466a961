"""Which rules a stylesheet holds, and what changes between two."""

from __future__ import annotations

import pytest

from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.inventory import Assertion, Change, assertions, differences
from gateway.errors import RulePackError
from gateway.model.verdict import Severity
from tests.mini_packs import stylesheet


def rule(name: str, *, flag: str = "fatal", text: str = "text", test: str = "a = b") -> str:
    """One assertion in the form of the ISO skeleton."""
    return (
        f'<svrl:failed-assert test="{test}"><xsl:attribute name="id">{name}</xsl:attribute>'
        f'<xsl:attribute name="flag">{flag}</xsl:attribute>'
        f"<svrl:text>{text}</svrl:text></svrl:failed-assert>"
    )


def test_an_assertion_is_read_without_running_it() -> None:
    """Id, weight, text and test; a value of the document shows as {XPath}."""
    body = rule("R-1", flag="warning", text='x "<xsl:value-of select="a/b"/>"\n  y', test="a  = b")
    assert assertions(stylesheet(body)) == (
        Assertion("R-1", Severity.WARNING, 'x "{a/b}" y', "a = b"),
    )


def test_the_same_stylesheet_does_not_differ() -> None:
    """Whitespace and order change nothing."""
    one = stylesheet(rule("R-1", text="a b") + rule("R-2"))
    two = stylesheet(rule("R-2") + "\n" + rule("R-1", text="a\n  b"))
    assert differences(one, two) == ()


def test_every_kind_of_change_is_told() -> None:
    """Rules that came and went, and changes of severity, text and test."""
    one = stylesheet(rule("GONE") + rule("SEV") + rule("TEXT") + rule("TEST") + rule("SAME"))
    two = stylesheet(
        rule("SEV", flag="warning")
        + rule("TEXT", text="other")
        + rule("TEST", test="a = c")
        + rule("SAME")
        + rule("NEW", text="hello")
    )
    assert [tuple(difference) for difference in differences(one, two)] == [
        ("GONE", Change.REMOVED, "text", ""),
        ("NEW", Change.ADDED, "", "hello"),
        ("SEV", Change.SEVERITY, "error", "warning"),
        ("TEST", Change.TEST, "a = b", "a = c"),
        ("TEXT", Change.TEXT, "text", "other"),
    ]


def test_an_assertion_more_of_the_same_rule_is_a_change() -> None:
    """A rule that is checked in two places is compared as a whole."""
    one = stylesheet(rule("R"))
    two = stylesheet(rule("R") + rule("R", text="second"))
    changes = {difference.change for difference in differences(one, two)}
    assert changes == {Change.SEVERITY, Change.TEXT, Change.TEST}


def test_what_is_no_stylesheet_is_an_error() -> None:
    """A file that is no XML cannot be compared."""
    with pytest.raises(RulePackError, match="no stylesheet"):
        assertions(b"PK\x03\x04")


@pytest.mark.parametrize(
    ("pack", "count"), [("en16931-ubl", 979), ("br-fr-flux2-ubl", 175), ("br-fr-flux2-cii", 171)]
)
def test_the_official_packs_are_counted_right(pack: str, count: int) -> None:
    """The numbers of assertions are those of the published stylesheets, each with an id."""
    found = assertions(Catalogue.load().artefact(pack).stylesheet)
    assert len(found) == count
    assert len({assertion.rule for assertion in found}) == count
