"""Writes the place of a finding in one go, in linear time.

The ISO skeleton spells a place by sending templates up the tree, one for each step, and counts an
element's predecessors of its name anew for each finding: two thirds of what a finding costs, and
quadratic where each of ten thousand lines has one. The rewritten stylesheet asks the engine for
the path, and `svrl` spells it as the skeleton does:

    /Q{urn:…:Invoice-2}Invoice[1]/Q{urn:…-2}InvoiceLine[3]
    /*:Invoice[namespace-uri()='urn:…:Invoice-2'][1]/*:InvoiceLine[namespace-uri()='urn:…-2'][3]

Where some element has many children the engine would count, too. There the children of such
elements are numbered once, when the first finding asks for it.

All this only where the templates that spell places are word for word the known ones, and where a
rule can match nothing but elements.
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from gateway.core.schematron.matching import last_steps
from gateway.core.schematron.skeleton import Rule, Skeleton
from gateway.core.schematron.svrl import FINDINGS, PATH
from gateway.core.schematron.vocabulary import XSL

MANY: Final = 100
"""Children from which on they are numbered once for all findings."""

_X: Final = f"{{{XSL}}}"
_SELECT: Final = "schematron-select-full-path"
_SPELL: Final = "schematron-get-full-path"
_PLACE: Final = "Q{urn:edi-gateway:rewritten}place"
_WIDE: Final = "gateway-wide"
_NUMBERS: Final = "gateway-numbers"

_SELECTING: Final = (
    f"""<t match="*" mode="{_SELECT}"><apply-templates mode="{_SPELL}" select="."/></t>"""
)
_SPELLING: Final = f"""
<t match="*" mode="{_SPELL}">
  <apply-templates mode="{_SPELL}" select="parent::*"/>
  <text>/</text>
  <choose>
    <when test="namespace-uri()=''"><value-of select="name()"/></when>
    <otherwise>
      <text>*:</text><value-of select="local-name()"/>
      <text>[namespace-uri()='</text><value-of select="namespace-uri()"/><text>']</text>
    </otherwise>
  </choose>
  <variable name="preceding" select="count(preceding-sibling::*[local-name()=local-name(current())
    and namespace-uri() = namespace-uri(current())])"/>
  <text>[</text><value-of select="1+ $preceding"/><text>]</text>
</t>"""

_FUNCTIONS: Final = f"""
<xsl:stylesheet xmlns:xsl="{XSL}">
  <xsl:function name="{_PLACE}">
    <xsl:param name="node"/>
    <xsl:choose>
      <xsl:when test="not(${_WIDE})"><xsl:sequence select="path($node)"/></xsl:when>
      <xsl:otherwise>
        <xsl:value-of separator="">
          <xsl:for-each select="$node/ancestor-or-self::*">
            <xsl:variable name="name" select="node-name()"/>
            <xsl:sequence select="'/Q{{', namespace-uri(), '}}', local-name(), '[',
              (${_NUMBERS}(generate-id()), 1 + count(preceding-sibling::*[node-name() = $name]))[1],
              ']'"/>
          </xsl:for-each>
        </xsl:value-of>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:function>
  <xsl:variable name="{_WIDE}" select="exists(//*[*[{MANY}]])"/>
  <xsl:variable name="{_NUMBERS}" as="map(*)">
    <xsl:map>
      <xsl:for-each select="//*[*[{MANY}]]">
        <xsl:for-each-group select="*" group-by="node-name()">
          <xsl:for-each select="current-group()">
            <xsl:map-entry key="generate-id()" select="position()"/>
          </xsl:for-each>
        </xsl:for-each-group>
      </xsl:for-each>
    </xsl:map>
  </xsl:variable>
</xsl:stylesheet>"""
"""What path() says; past a number of children, with the numbers of elements looked up."""

_Shape = tuple[object, ...]


def spell_places_once(stylesheet: etree._Element, skeleton: Skeleton) -> int:
    """Rewrite the places of all findings that can be; return how many were."""
    if not _is_known(stylesheet):
        return 0
    rewritten = 0
    for rule in (rule for pattern in skeleton.patterns for rule in pattern.rules):
        if not _only_elements(rule):
            continue
        for location in list(rule.template.iter(f"{_X}attribute")):
            if _is_place(location):
                for child in list(location):
                    location.remove(child)
                location.text = None
                location.set("name", PATH)
                location.set("select", f"{_PLACE}(.)")
                rewritten += 1
    if rewritten:
        stylesheet.extend(list(etree.fromstring(_FUNCTIONS)))
    return rewritten


def _is_known(stylesheet: etree._Element) -> bool:
    """Whether the templates that spell the places of elements are those of the skeleton."""
    found = {_SELECT: list[_Shape](), _SPELL: list[_Shape]()}
    for template in stylesheet.iterchildren(f"{_X}template"):
        mode = template.get("mode") or ""
        if mode in found and template.get("match") != "@*":
            found[mode].append(_shape(template)[1:])
    return found == {
        mode: [_shape(etree.fromstring(text))[1:]]
        for mode, text in ((_SELECT, _SELECTING), (_SPELL, _SPELLING))
    }


def _shape(element: etree._Element) -> _Shape:
    """Name, attributes and content, but for white space around and comments."""
    return (
        str(element.tag).rpartition("}")[2],
        {name: " ".join(str(value).split()) for name, value in element.attrib.items()},
        (element.text or "").strip(),
        tuple((_shape(child), (child.tail or "").strip()) for child in element.iterchildren("*")),
    )


def _only_elements(rule: Rule) -> bool:
    steps = last_steps(rule.match)
    return steps is not None and not any(step.attribute for step in steps)


def _is_place(attribute: etree._Element) -> bool:
    """Whether it is the place, of the very node the rule is about, of a finding."""
    parent = attribute.getparent()
    children = list(attribute.iterchildren("*"))
    return (
        parent is not None
        and parent.tag in FINDINGS
        and attribute.items() == [("name", "location")]
        and [sorted(child.items()) for child in children] == [[("mode", _SELECT), ("select", ".")]]
        and children[0].tag == f"{_X}apply-templates"
        and not len(children[0])
        and not "".join(map(str, attribute.itertext())).strip()
        and next(attribute.iterancestors(f"{_X}for-each"), None) is None
    )
