"""Has findings reported in short, when what they say is known beforehand.

    <svrl:failed-assert>
      <xsl:attribute name="id">BR-FR-01</xsl:attribute>
      <xsl:attribute name="flag">fatal</xsl:attribute>
      <xsl:attribute name="gateway-path" select="…"/>
      <svrl:text>The number <xsl:value-of select="."/> is …</svrl:text>
    </svrl:failed-assert>

becomes

    <svrl:f n="17">
      <xsl:attribute name="gateway-path" select="…"/>
      <svrl:v><xsl:value-of select="."/></svrl:v>
    </svrl:f>

Rule, weight and text are the same for every finding of an assertion, but for the values in the
text. So the rewritten stylesheet gives the number of the assertion and those values; `svrl` puts
the rest around them. A finding that says anything else keeps its SVRL.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lxml import etree

from gateway.core.schematron.svrl import FINDINGS, PATH, SHORT, SVRL, VALUE, Saying
from gateway.core.schematron.vocabulary import XSL

_X: Final = f"{{{XSL}}}"
_SPACE: Final = " \t\r\n"
"""What XSLT drops when a text consists of nothing else."""
_SPACES: Final = "{http://www.w3.org/XML/1998/namespace}space"
_SAID: Final = frozenset({"id", "flag", "role"})


class _Told(NamedTuple):
    """`texts` are what stands before, between and after `values`."""

    texts: list[str]
    values: list[etree._Element]


def shorten(stylesheet: etree._Element) -> tuple[Saying, ...]:
    """Rewrite the findings that can be; return what they say, by number."""
    sayings: list[Saying] = []
    if any(_SPACES in element.attrib for element in stylesheet.iter("*")):
        return ()  # then white space is another matter
    for finding in list(stylesheet.iter(*FINDINGS)):
        known = _known(finding)
        if known is None:
            continue
        attributes, place, told = known
        short = etree.Element(SHORT, {"n": str(len(sayings))})
        short.append(place)
        for value in told.values:
            value.tail = None
            etree.SubElement(short, VALUE).append(value)
        sayings.append(Saying.of(attributes, tuple(told.texts)))
        short.tail = finding.tail
        parent = finding.getparent()
        if parent is not None:
            parent.replace(finding, short)
    return tuple(sayings)


def _known(finding: etree._Element) -> tuple[dict[str, str], etree._Element, _Told] | None:
    """What a finding says in attributes, its place and its text; None when it is not that plain."""
    children = list(finding)
    if finding.attrib or not children:
        return None
    *given, text = children
    if text.tag != f"{{{SVRL}}}text" or text.attrib:
        return None
    attributes: dict[str, str] = {}
    place = None
    for each in given:
        name = each.get("name") or ""
        if each.tag != f"{_X}attribute" or len(each):
            return None
        if each.items() == [("name", name)] and name in _SAID:
            attributes[name] = each.text or ""
        elif name == PATH:
            place = each
        else:
            return None
    told = _told(text)
    return None if place is None or told is None else (attributes, place, told)


def _told(text: etree._Element) -> _Told | None:
    """The pieces of a text; None when it holds more than texts and values."""
    told = _Told([_kept(text.text)], [])
    for child in text:
        if len(child):
            return None
        if child.tag == f"{_X}text":
            told.texts[-1] += child.text or ""
        elif child.tag == f"{_X}value-of" and not child.text:
            told.values.append(child)
            told.texts.append("")
        else:
            return None
        told.texts[-1] += _kept(child.tail)
    return told


def _kept(text: str | None) -> str:
    """What XSLT keeps of a text in a stylesheet."""
    return text if text and text.strip(_SPACE) else ""
