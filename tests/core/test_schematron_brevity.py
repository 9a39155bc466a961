"""Findings reported in short say the same as in full."""

from __future__ import annotations

import pytest
from lxml import etree

from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.preparation import rewriting
from gateway.core.schematron.svrl import FINDINGS, Saying, violations
from gateway.model.verdict import Severity
from tests.both_ways import BothWays
from tests.mini_skeleton import Rule, stylesheet

KNOWN = stylesheet([Rule("*", {"R": "false()"})])
TEXT = '<svrl:text>R on "<xsl:value-of select="."/>".</svrl:text>'
assert TEXT in KNOWN
DOCUMENT = b"""<o:order xmlns:o="urn:test:order" xmlns:p="urn:test:part" id="a&lt;b">one
 <p:line>  &lt;two&gt; &#13;&#9;</p:line><p:line><![CDATA[ &amp; ]]></p:line><p:line/></o:order>"""


def both(old: str, new: str) -> BothWays:
    assert old in KNOWN
    return BothWays(KNOWN.replace(old, new))


def agreed(ways: BothWays) -> list[str]:
    """The texts of all findings, once both ways say the same."""
    shipped, found = ways.answers(DOCUMENT)
    assert found == shipped
    assert not isinstance(found, str)
    assert len(found) == 4
    return [violation.text for violation in found]


@pytest.mark.parametrize(
    "text",
    [
        "<svrl:text>Plain</svrl:text>",
        "<svrl:text>  [BR-7] {braces}\n and   room </svrl:text>",
        "<svrl:text/>",
        '<svrl:text><xsl:value-of select="."/></svrl:text>',
        '<svrl:text>\n<xsl:value-of select="*"/>  <xsl:value-of select="@*"/>\n</svrl:text>',
        '<svrl:text>a <xsl:value-of select="*" separator=", "/><xsl:text> </xsl:text>b</svrl:text>',
        "<svrl:text><xsl:text>  </xsl:text>é ]]&gt; <xsl:text>x</xsl:text> &#160; </svrl:text>",
    ],
)
@pytest.mark.parametrize("identifier", ['<xsl:attribute name="id">R</xsl:attribute>', ""])
def test_a_text_with_values_is_put_together_again(text: str, identifier: str) -> None:
    """White space as XSLT has it, values as they are, an id in the text where there is none."""
    plain = KNOWN.replace('<xsl:attribute name="id">R</xsl:attribute>', identifier)
    ways = BothWays(plain.replace(TEXT, text))
    assert len(ways.rewriting.sayings) == 1
    assert "failed-assert" not in ways.rewriting.stylesheet
    assert agreed(ways)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TEXT, TEXT + "<svrl:diagnostic-reference>more</svrl:diagnostic-reference>"),
        (TEXT, TEXT.replace("svrl:text>R", 'svrl:text xml:lang="fr">R')),
        (TEXT, TEXT.replace("svrl:text>R", 'svrl:text xml:space="preserve">R')),
        (TEXT, '<svrl:text><xsl:for-each select="*">x</xsl:for-each></svrl:text>'),
        (TEXT, "<svrl:text>R <b>bold</b></svrl:text>"),
        ("<svrl:failed-assert", "<svrl:failed-assert see='{.}'"),
        (
            '<xsl:attribute name="id">R<',
            '<xsl:attribute name="id"><xsl:value-of select="name()"/><',
        ),
    ],
)
def test_a_finding_that_says_more_keeps_its_form(old: str, new: str) -> None:
    """What was not foreseen is reported as it was written."""
    ways = both(old, new)
    assert ways.rewriting.sayings == ()
    assert agreed(ways)


@pytest.mark.parametrize("flag", ["warning", " INFO ", "nonsense"])
def test_the_weight_of_a_finding_is_that_of_its_flag(flag: str) -> None:
    """As `svrl` weighs findings in full."""
    old = '<xsl:attribute name="id">R</xsl:attribute>'
    ways = both(old, f'{old}<xsl:attribute name="flag">{flag}</xsl:attribute>')
    assert len(ways.rewriting.sayings) == 1
    assert agreed(ways)


def test_the_number_of_a_finding_is_that_of_what_it_says() -> None:
    """A report in short cannot be read without what its numbers stand for."""
    report = (
        b'<svrl:schematron-output xmlns:svrl="http://purl.oclc.org/dsdl/svrl">'
        b'<svrl:f n="1" gateway-path="/Q{}a[1]"><svrl:v>7</svrl:v></svrl:f>'
        b"</svrl:schematron-output>"
    )
    sayings = [
        Saying.of({"id": "A"}, ("never",)),
        Saying.of({"id": "B", "flag": "warning"}, ("It is ", ".")),
    ]
    (violation,) = violations(report, sayings)
    assert violation == ("B", Severity.WARNING, "/a[1]", "It is 7.", ())
    with pytest.raises(IndexError):
        violations(report, sayings[:1])


@pytest.mark.parametrize("pack", ["en16931-ubl", "br-fr-flux2-cii", "facturx-en16931"])
def test_official_packs_report_in_short(pack: str) -> None:
    """All but a few findings, such as those that quote a test with braces."""
    found = rewriting(Catalogue.load().artefact(pack))
    assert len(found.sayings) > 100
    root = etree.fromstring(found.stylesheet, etree.XMLParser(huge_tree=True))
    assert len(list(root.iter(*FINDINGS))) <= 4
