"""From what a rule pack reported to findings with their places in the document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from lxml import etree

from gateway.core.schematron.locations import Locations
from gateway.core.schematron.svrl import Violation
from gateway.core.terms import terms_in
from gateway.core.xml import NOWHERE, ParsedXml, locate_all
from gateway.model.verdict import Finding, Language, Layer, Text

MAX_PLACES: Final = 1000
"""Findings of one run that carry line, column and excerpt. Who has a thousand needs no more, and
finding them must not take longer than judging."""


def findings_of(
    found: Iterable[Violation], pack: str, parsed: ParsedXml
) -> Iterator[tuple[Finding, etree._Element | None]]:
    """A finding for each violation, with the element it is about if it carries its place."""
    locations = Locations(parsed)
    located = [(violation, locations.at(violation.location)) for violation in found]
    places = locate_all(
        parsed, [each.element for _, each in located[:MAX_PLACES] if each.element is not None]
    )
    for number, (violation, (found_at, path)) in enumerate(located):
        element = found_at if number < MAX_PLACES else None
        place = NOWHERE if element is None else places.get(element, NOWHERE)
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
            explanation=_explanation(violation),
        )
        yield finding, element


def _explanation(violation: Violation) -> Text | None:
    """What the author of the rule says in both languages; where one lacks, the text of the rule."""
    if not violation.words:
        return None
    words = dict(violation.words)
    return Text(
        en=words.get(Language.EN, violation.text), fr=words.get(Language.FR, violation.text)
    )
