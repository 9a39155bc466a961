"""Has assertions that stand beside each other said in one expression, which takes less memory.

    <xsl:choose>
      <xsl:when test="normalize-space(cbc:ID) != ''"/>
      <xsl:otherwise><svrl:f n="0"><xsl:attribute name="gateway-path" select="…place(.)"/></svrl:f>
      </xsl:otherwise>
    </xsl:choose>
    <xsl:if test="@listID"><svrl:f n="1">…</svrl:f></xsl:if>

becomes

    <xsl:sequence select="for $n in (if (normalize-space(cbc:ID) != '') then () else 0,
                                     if (@listID) then 1 else ()) return …said(., $n)"/>

and a function, called for findings only, writes them. Saxon keeps every instruction of a stylesheet
twice over, as it was written and as it is run; with one instruction for many assertions a compiled
pack holds a quarter less. What is asked, in which order and of which node, is the same: only tests
whose one outcome is a finding without values (`brevity`) are put together, and only where the same
prefixes hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from lxml import etree

from gateway.core.schematron.svrl import PATH, SHORT, SVRL
from gateway.core.schematron.vocabulary import XSL

_X: Final = f"{{{XSL}}}"
_PLACE: Final = "Q{urn:edi-gateway:rewritten}place"
_SAID: Final = "Q{urn:edi-gateway:rewritten}said"
_NUMBER: Final = "gateway-number"
_MOST: Final = 100
"""Assertions in one expression: whoever reads one goes deeper with each of its parts."""

_FUNCTION: Final = f"""
<xsl:function name="{_SAID}" xmlns:xsl="{XSL}" xmlns:svrl="{SVRL}">
  <xsl:param name="node"/>
  <xsl:param name="number"/>
  <svrl:f>
    <xsl:attribute name="n" select="$number"/>
    <xsl:attribute name="{PATH}" select="{_PLACE}($node)"/>
  </svrl:f>
</xsl:function>"""


class _Test(NamedTuple):
    """An instruction, and what it asks as an expression that gives the number of a finding."""

    element: etree._Element
    asked: str


def say_together(stylesheet: etree._Element) -> int:
    """Put what can be said together into fewer expressions; return how many those are."""
    etree.strip_elements(stylesheet, etree.Comment, with_tail=False)
    found = [tests for each in stylesheet.iter(f"{_X}template", f"{_X}if") for tests in _runs(each)]
    for tests in found:
        _put_together(tests)
    if found:
        stylesheet.append(etree.fromstring(_FUNCTION))
    return len(found)


def _runs(parent: etree._Element) -> Iterator[list[_Test]]:
    """The tests that stand beside each other in an element, so many at a time."""
    run: list[_Test] = []
    for child in parent:
        test = _test(child, parent.nsmap)
        if run and (test is None or len(run) == _MOST):
            yield run
            run = []
        if test is not None:
            run.append(test)
    if run:
        yield run


def _put_together(tests: list[_Test]) -> None:
    first = tests[0].element
    parent = first.getparent()
    if parent is None:
        return
    asked = ", ".join(test.asked for test in tests)
    said = f"for ${_NUMBER} in ({asked}) return {_SAID}(., ${_NUMBER})"
    together = etree.Element(f"{_X}sequence", select=said)
    parent.replace(first, together)
    for test in tests[1:]:
        parent.remove(test.element)


def _test(element: etree._Element, prefixes: dict[str | None, str]) -> _Test | None:
    """What it is when it is an assertion or a report that `brevity` shortened, without values."""
    if _has_text_beside(element) or element.nsmap != prefixes:
        return None
    if element.tag == f"{_X}if" and set(element.attrib) == {"test"} and len(element) == 1:
        number = _number(element[0])
        asked = f"if ({element.get('test')}) then {number} else ()"
        return None if number is None else _Test(element, asked)
    if element.tag != f"{_X}choose" or element.attrib or len(element) != 2:
        return None
    held, otherwise = element
    if (
        (held.tag, set(held.attrib), len(held), held.text) != (f"{_X}when", {"test"}, 0, None)
        or held.nsmap != prefixes
        or (otherwise.tag, len(otherwise.attrib), len(otherwise)) != (f"{_X}otherwise", 0, 1)
        or _has_text_beside(otherwise)
    ):
        return None
    number = _number(otherwise[0])
    asked = f"if ({held.get('test')}) then () else {number}"
    return None if number is None else _Test(element, asked)


def _number(finding: etree._Element) -> int | None:
    """The number of a finding that gives nothing else but its place."""
    if finding.tag != SHORT or set(finding.attrib) != {"n"} or len(finding) != 1:
        return None
    place = finding[0]
    if place.tag != f"{_X}attribute" or len(place) or place.text or _has_text_beside(finding):
        return None
    if place.items() != [("name", PATH), ("select", f"{_PLACE}(.)")]:
        return None
    return int(finding.get("n") or 0)


def _has_text_beside(element: etree._Element) -> bool:
    """Whether there is text directly in it, or behind it."""
    pieces = [element.text, element.tail, *(child.tail for child in element)]
    return any(piece and piece.strip() for piece in pieces)
