"""Whose text a stylesheet reads: rules are never told less than they could tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.attachments import Attachments
from gateway.core.reading import names_read
from gateway.core.schematron.partners import PartnerPacks
from tests.core.test_attachments import read, ubl
from tests.schematron_sources import NAME, UBL, pattern, rule, rules

OBJECT = "cbc:EmbeddedDocumentBinaryObject"
HARMLESS = {
    f"//{OBJECT}": (
        *("@mimeCode = 'application/pdf'", "exists(.)", "not(@filename = '')", "not(self::cbc:X)"),
        *("count(../cbc:ID) = 1", "string-length(../../cbc:ID) = 3", "name() = 'x'", "not(*)"),
        *("normalize-space(.)", "not(normalize-space()) or string(.)", "boolean(string())"),
        *("some $a in . satisfies $a/@filename = 'x'", "position() = 1", ". is ."),
        *("@filename/string-length(.) = 7", "generate-id(.) = generate-id(..)", "../cbc:URI = 'x'"),
        "(../../cbc:ID | ../../cbc:UUID) = 'A-1'",
    ),
    "/ubl:Invoice": (
        *("//cac:Attachment", f"count(//{OBJECT}) = 1", "not(//cac:Attachment/cbc:URI = 'x')"),
        *("not(//*[not(*) and not(normalize-space())])", "//cbc:Note[contains(., 'x')]"),
        *(f"every $o in //{OBJECT} satisfies $o/@mimeCode = 'text/csv'", "count(//text()) = 1"),
        *("sum(//*[ends-with(name(), 'Amount')]/number(.)) = 0", "cac:Delivery//text() = 'x'"),
        *(
            "cac:AdditionalDocumentReference[cac:Attachment]/cbc:ID = 'A-1'",
            "not(key('ids', 'A-1'))",
        ),
        "if (//cac:Attachment) then cbc:ID = '1' else cbc:ID = '2'",
    ),
}
TELLING = {
    f"//{OBJECT}": (
        *("string-length(.) = 4", ". = 'x'", "starts-with(., 'Z')", "normalize-space(.) = 'x'"),
        *(
            "matches(., '^....$')",
            "text() = 'x'",
            "number(.) = 1",
            "string(.) = 'x'",
            "data() = 'x'",
        ),
        *("for $a in . return string-length($a) = 4", "../string-length(.) = 4", "../.. = 'x'"),
        *(
            "../node()[string-length(.) gt 9]",
            "../*[last()] = 'x'",
            "(., .)[1] = 'x'",
            ". castable as xs:date",
        ),
        *("../../string() = 'x'", "string-length() = 4", "ancestor::*[2] = 'x'", "not(. != 'x')"),
        *("self::node() = 'x'", "self::*/string-length(.) = 4", "compare(., 'x') = 0"),
        "count(distinct-values((., 'x'))) = 1",
    ),
    "/ubl:Invoice": (
        *("string-length(.) = 9", "//text()[string-length(.) = 4]", "//*[string-length(.) = 4]"),
        *(f"//{OBJECT} = 'x'", "cac:AdditionalDocumentReference/cac:Attachment = 'x'", "//. = 'x'"),
        *("cac:AdditionalDocumentReference//text() = 'QQ=='", "* = 'x'", "*/*/* = 'x'"),
        *("some $a in //cac:Attachment satisfies $a = 'x'", "string-join(//text(), '') = 'x'"),
        *("//@filename/.. = 'x'", "key('ids', 'A-1')/../cac:Attachment = 'x'", "$attached = 'x'"),
        *(
            "//*[ends-with(name(), 'Object')] = 'x'",
            "deep-equal(., .) and . = 'x'",
            "u:size(.) = 4",
        ),
        *("reverse(//cac:Attachment)[1] = 'x'", "//cbc:ID/../cac:Attachment/* = 'x'"),
        "number(substring(string(.), 1, 9)) = 1",
    ),
}
HEAD = f"""{UBL}<ns prefix="u" uri="urn:u"/>
<xsl:key name="ids" match="cbc:ID" use="."/>
<xsl:function name="u:size"><xsl:param name="it"/>
  <xsl:sequence select="string-length($it)"/></xsl:function>
<let name="attached" value="//cac:Attachment"/>"""


def partner(tmp_path: Path, context: str, test: str) -> tuple[PartnerPacks, Attachments]:
    """A rule of one assertion, that says the value of what it is about when it says anything."""
    escaped = test.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    found = rules(
        tmp_path, HEAD + pattern(rule(context, f'<assert id="A" test="{escaped}">x</assert>'))
    )
    return PartnerPacks([found]), Attachments(lambda _: (found.stylesheet,))


def flat(cases: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(context, test) for context, tests in cases.items() for test in tests]


@pytest.mark.parametrize(("context", "test"), flat(HARMLESS))
def test_a_rule_that_does_not_look_inside_says_the_same(
    tmp_path: Path, context: str, test: str
) -> None:
    """It is given the beginning, and finds what it finds in the whole."""
    packs, keeping = partner(tmp_path, context, test)
    whole, parsed = read(ubl()), read(ubl())
    keeping.keep_away(parsed, [NAME])
    assert len(parsed.for_rules) < len(parsed.data) / 10
    assert packs.run(NAME, parsed) == packs.run(NAME, whole)


@pytest.mark.parametrize(("context", "test"), flat(TELLING))
def test_a_rule_that_looks_inside_gets_it_whole(tmp_path: Path, context: str, test: str) -> None:
    """However it goes about it."""
    _, keeping = partner(tmp_path, context, test)
    parsed = read(ubl())
    keeping.keep_away(parsed, [NAME])
    assert parsed.for_rules is parsed.data


@pytest.mark.parametrize("said", ["{}", "<value-of select='{}'/>", "<name path='{}'/>"])
def test_what_a_message_shows_is_read(tmp_path: Path, said: str) -> None:
    """A finding that quotes the attachment quotes all of it; words alone quote nothing."""
    text = said.format(".")
    found = rules(
        tmp_path, UBL + pattern(rule(f"//{OBJECT}", f'<assert id="A" test="0">{text}</assert>'))
    )
    parsed = read(ubl())
    Attachments(lambda _: (found.stylesheet,)).keep_away(parsed, [NAME])
    assert (parsed.for_rules is parsed.data) == ("value-of" in said or "path" in said)


XSL = """<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="3.0"
    xmlns:svrl="http://purl.oclc.org/dsdl/svrl">{}</xsl:stylesheet>"""
SENT = '<xsl:value-of><xsl:apply-templates select="b" mode="m"/></xsl:value-of>'
CALL = '<xsl:call-template name="n"><xsl:with-param name="p" select="b"/></xsl:call-template>'


def within(body: str, *, attributes: str = "") -> str:
    """A template that holds it."""
    return f'<xsl:template match="a" {attributes}>{body}</xsl:template>'


@pytest.mark.parametrize(
    ("body", "read_names"),
    [
        (within('<xsl:value-of select="b"/>'), {"b"}),
        ('<xsl:template match="a/b"><xsl:if test=". = 1"/></xsl:template>', {"b"}),
        (within('<x y="{b}-{c/@d}-{{e}}"/>'), {"b"}),
        (within("<x y=\"{concat('{', b, '}')}\"/>"), {"*"}),
        (within('<xsl:for-each select="b"><xsl:sort/></xsl:for-each>'), {"b"}),
        (within('<xsl:for-each select="b"><xsl:if test="."/></xsl:for-each>'), set()),
        (within('<xsl:for-each-group select="b" group-by="c"/>'), {"c"}),
        (within('<xsl:for-each-group select="b" group-adjacent="c"/>'), {"*"}),
        (within('<xsl:copy-of select="b"/>'), {"b"}),
        (within("<xsl:copy/>"), {"*"}),
        (within('<xsl:number value="b"/>'), {"*"}),
        (within('<xsl:number level="multiple" count="*"/>'), set()),
        (within('<xsl:variable name="v"><xsl:apply-templates/></xsl:variable>'), {"*"}),
        (within("<svrl:text><xsl:apply-templates/></svrl:text>"), {"*"}),
        (within("<xsl:apply-templates/>"), set()),
        (within("{b}", attributes='expand-text="yes"'), {"*"}),
        (within("<x xsl:expand-text='yes'>{b}</x>"), {"*"}),
        (within("<xsl:evaluate xpath=\"'b'\"/>"), {"*"}),
        (within('<xsl:if test="b (: c :) = 1"/>'), {"*"}),
        (within("<xsl:if test=\"doc('x')/b/.. = 1\"/>"), {"*"}),
        (within('<xsl:variable name="v" select="b"/><xsl:value-of select="$v"/>'), {"b"}),
        (within('<xsl:variable name="v" select="b"/><xsl:if test="$v"/>'), set()),
        (within('<xsl:variable name="v" select="b"/><xsl:if test="$v/text() = 1"/>'), {"b"}),
        (within('<xsl:variable name="v" select="b"/><xsl:if test="$v/.. = 1"/>'), {"*"}),
        ('<xsl:template name="n"><xsl:value-of select="."/></xsl:template>', {"*"}),
        (within(CALL) + '<xsl:template name="n"><xsl:value-of select="$p"/></xsl:template>', {"b"}),
        ('<xsl:key name="k" match="a" use="b"/>', {"b"}),
        (
            within("<xsl:value-of select=\"key('k', 1)\"/>")
            + '<xsl:key name="k" match="c" use="@d"/>',
            {"c"},
        ),
        ('<xsl:import href="other.xsl"/>', {"*"}),
        (
            '<xsl:function name="x:f"><xsl:sequence select="1"/></xsl:function>'
            '<xsl:function name="y:f"><xsl:sequence select="1"/></xsl:function>',
            {"*"},
        ),
        (within(SENT) + '<xsl:template match="*" mode="m"/>', set()),
        (within(SENT) + '<xsl:template match="c" mode="m"/>', {"*"}),
        (
            within(SENT) + '<xsl:template match="*" mode="m"><xsl:apply-templates/></xsl:template>',
            {"*"},
        ),
        (within(SENT.replace('"b"', '"node()"')) + '<xsl:template match="*" mode="m"/>', {"*"}),
        (within(SENT.replace('"b"', '"@b"')), set()),
    ],
)
def test_what_instructions_read(body: str, read_names: set[str]) -> None:
    """Stylesheets may be imported as they are, whoever wrote them."""
    assert names_read(XSL.format(body)) == read_names
