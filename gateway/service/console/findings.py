"""Findings explained: what is wrong, what to do, where, with the place marked in the XML."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.acknowledgement.markup import Html, Piece, element, joined
from gateway.core.acknowledgement.page_entries import set_off
from gateway.core.acknowledgement.page_excerpt import marked
from gateway.core.acknowledgement.page_words import LAYERS, SEVERITIES, typeset
from gateway.core.terms import term_label
from gateway.model.verdict import Finding, Severity
from gateway.service.console.visit import Visit
from gateway.service.console.words import count

_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def listed(visit: Visit, findings: Sequence[Finding], most: int, more: Piece = None) -> Html:
    """The first `most`, errors first; `more` stands where others are left out."""
    chosen = sorted(findings, key=lambda each: _ORDER[each.severity])
    pieces: list[Piece] = [_finding(visit, each) for each in chosen[:most]]
    left = len(chosen) - most
    if left > 0:
        words = visit.say(f"And {count(visit, left)} more. ", f"Et {count(visit, left)} de plus. ")
        pieces.append(element("p", words, more))
    return joined(pieces)


def _finding(visit: Visit, finding: Finding) -> Html:
    language = visit.language
    said: list[Piece] = []
    if finding.explanation is not None:
        words = set_off(typeset(finding.explanation.to(language), language))
        said.append(_told(visit.say("Why", "Pourquoi"), words))
    if finding.remedy is not None:
        words = set_off(typeset(finding.remedy.to(language), language))
        said.append(_told(visit.say("What to do", "Que faire"), words))
    if finding.line is not None:
        where = visit.say(
            f"line {finding.line}, column {finding.column}",
            f"ligne {finding.line}, colonne {finding.column}",
        )
        said.append(_told(visit.say("Where", "Où"), where))
    pieces: list[Piece] = [element("h4", _title(visit, finding))]
    pieces.append(element("dl", *said) if said else None)
    if finding.excerpt:
        before, middle, after = marked(finding.excerpt, finding.location)
        inner = joined((before, element("mark", middle) if middle else None, after))
        pieces.append(element("pre", element("code", inner), translate="no"))
    if finding.location:
        pieces.append(element("p", finding.location, class_="path mono", translate="no"))
    source = f" ({finding.pack})" if finding.pack else ""
    pieces.append(
        element(
            "details",
            element("summary", visit.say("Text of the rule", "Texte de la règle")),
            element("p", finding.message, source),
        )
    )
    return element("article", *pieces, class_=f"finding {finding.severity.value}")


def _title(visit: Visit, finding: Finding) -> Html:
    language = visit.language
    label = next(
        (
            f"{term_label(term, language)} ({term})"
            for term in finding.terms
            if term_label(term, language) != term
        ),
        "",
    )
    if not label:
        layer = LAYERS[finding.layer].to(language)
        label = layer[:1].upper() + layer[1:]
    severity = SEVERITIES[finding.severity].to(language)
    return joined(
        (
            f"{severity[:1].upper()}{severity[1:]} – {typeset(label, language)} ",
            element("code", finding.rule),
        )
    )


def _told(label: str, words: Piece) -> Html:
    return element("div", element("dt", label), element("dd", words))
