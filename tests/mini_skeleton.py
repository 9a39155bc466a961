"""A compiled Schematron of our own, in the shape the ISO skeleton gives it: rules to order."""

from __future__ import annotations

from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

_STYLESHEET = """<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:svrl="http://purl.oclc.org/dsdl/svrl" xmlns:xs="http://www.w3.org/2001/XMLSchema"
    xmlns:o="urn:test:order" xmlns:p="urn:test:part">
  <xsl:param name="archiveNameParameter"/>
  <xsl:variable name="document-uri"><xsl:value-of select="document-uri(/)"/></xsl:variable>
  <xsl:output method="xml" indent="yes"/>
  {globals}
  <xsl:template match="*" mode="schematron-select-full-path">
    <xsl:apply-templates select="." mode="schematron-get-full-path"/>
  </xsl:template>
  <xsl:template match="*" mode="schematron-get-full-path">
    <xsl:apply-templates select="parent::*" mode="schematron-get-full-path"/>
    <xsl:text>/</xsl:text>
    <xsl:choose>
      <xsl:when test="namespace-uri()=''"><xsl:value-of select="name()"/></xsl:when>
      <xsl:otherwise>
        <xsl:text>*:</xsl:text><xsl:value-of select="local-name()"/>
        <xsl:text>[namespace-uri()='</xsl:text><xsl:value-of select="namespace-uri()"/>
        <xsl:text>']</xsl:text>
      </xsl:otherwise>
    </xsl:choose>
    <xsl:variable name="preceding"
      select="count(preceding-sibling::*[local-name()=local-name(current())
        and namespace-uri() = namespace-uri(current())])"/>
    <xsl:text>[</xsl:text><xsl:value-of select="1+ $preceding"/><xsl:text>]</xsl:text>
  </xsl:template>
  <xsl:template match="@*" mode="schematron-get-full-path">
    <xsl:apply-templates select="parent::*" mode="schematron-get-full-path"/>
    <xsl:value-of select="concat('/@', name())"/>
  </xsl:template>
  <xsl:template match="text()" priority="-1"/>
  <xsl:template match="/">
    <svrl:schematron-output title="" schemaVersion="">
      <xsl:comment><xsl:value-of select="$archiveNameParameter"/></xsl:comment>
      <svrl:ns-prefix-in-attribute-values uri="urn:test:part" prefix="p"/>
      {starts}
    </svrl:schematron-output>
  </xsl:template>
  {patterns}
</xsl:stylesheet>
"""

_START = """<svrl:active-pattern>
  <xsl:attribute name="document"><xsl:value-of select="document-uri(/)"/></xsl:attribute>
  <xsl:attribute name="name">pattern {mode}</xsl:attribute>
  <xsl:apply-templates/>
</svrl:active-pattern>
<xsl:apply-templates select="/" mode="{mode}"/>
"""

_OTHERWISE = """
<xsl:template match="text()" priority="-1" mode="{mode}"/>
<xsl:template match="@*|node()" priority="-2" mode="{mode}">
  <xsl:apply-templates select="{walk}" mode="{mode}"/>
</xsl:template>
"""

_RULE = """
<xsl:template match={match} priority="{priority}" mode="{mode}">
  <svrl:fired-rule context="{context}"/>{body}{onward}
</xsl:template>
"""

_ASSERTION = """
<xsl:choose>
  <xsl:when test={test}/>
  <xsl:otherwise>
    <svrl:failed-assert test="(quoted)">
      <xsl:attribute name="id">{id}</xsl:attribute>
      <xsl:attribute name="location">
        <xsl:apply-templates select="." mode="schematron-select-full-path"/>
      </xsl:attribute>
      <svrl:text>{id} on "<xsl:value-of select="."/>".</svrl:text>
    </svrl:failed-assert>
  </xsl:otherwise>
</xsl:choose>
"""


class Rule(NamedTuple):
    """A rule: `asserts` is what must be true, by id; `lets` are its variables, by name.

    `ends`: its template does not send the walk on.
    """

    context: str
    asserts: dict[str, str]
    lets: dict[str, str] = {}
    ends: bool = False


def stylesheet(*patterns: list[Rule], walk: str = "*", globals_: str = "") -> str:
    """The stylesheet of some patterns. The first rule of a pattern that matches a node wins."""
    modes = [f"M{number}" for number in range(1, len(patterns) + 1)]
    return _STYLESHEET.format(
        globals=globals_,
        starts="".join(_START.format(mode=mode) for mode in modes),
        patterns="".join(
            _pattern(mode, rules, walk) for mode, rules in zip(modes, patterns, strict=True)
        ),
    )


def _pattern(mode: str, rules: list[Rule], walk: str) -> str:
    onward = f'<xsl:apply-templates select="{walk}" mode="{mode}"/>'
    made = [
        _RULE.format(
            match=quoteattr(rule.context),
            context=escape(rule.context, {'"': "&quot;", "{": "{{", "}": "}}"}),
            priority=1000 + len(rules) - number,
            mode=mode,
            body=_body(rule),
            onward="" if rule.ends else onward,
        )
        for number, rule in enumerate(rules, start=1)
    ]
    return "".join(made) + _OTHERWISE.format(mode=mode, walk=walk)


def _body(rule: Rule) -> str:
    lets = (
        f"<xsl:variable name={quoteattr(name)} select={quoteattr(value)}/>"
        for name, value in rule.lets.items()
    )
    asserts = (
        _ASSERTION.format(test=quoteattr(test), id=identifier)
        for identifier, test in rule.asserts.items()
    )
    return "".join([*lets, *asserts])
