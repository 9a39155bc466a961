"""From what a rule pack reported to findings with their places in the document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from lxml import etree

from gateway.core.schematron.locations import Locations
from gateway.core.schematron.svrl import Violation
from gateway.core.terms import terms_in
from gateway.core.xml import ParsedXml, Place, locate
from gateway.model.verdict import Finding, Layer

MAX_PLACES: Final = 1000
"""Findings of one run that carry line, column and excerpt. Who has a thousand needs no more, and
finding them must not take longer than judging."""


def findings_of(
    found: Iterable[Violation], pack: str, parsed: ParsedXml
) -> Iterator[tuple[Finding, etree._Element | None]]:
    """A finding for each violation, with the element it is about if it carries its place."""
    locations = Locations(parsed)
    for number, violation in enumerate(found):
        element, path = locations.at(violation.location)
        if number >= MAX_PLACES:
            element = None
        place = Place(None, None, None) if element is None else locate(parsed, element)
        finding = Finding(
            rule=violation.rule,
            layer=Layer.SCHEMATRON,
            severity=violation.severity,
            message=violation.text,
            pack=pack,
            location=path,
            line=place.line,
            column=place.column,
            excerpt=place.excerpt,
            terms=terms_in(violation.text),
        )
        yield finding, element
