"""The entry of one cause on the readable report: what is wrong, what to do about it, where."""

from __future__ import annotations

import re
from typing import Final

from gateway.core.acknowledgement.markup import Html, Piece, element, joined
from gateway.core.acknowledgement.page_causes import Cause, Place, told_of_all, without_line
from gateway.core.acknowledgement.page_excerpt import marked
from gateway.core.acknowledgement.page_words import LAYERS, WORDS, number, typeset, weight
from gateway.core.acknowledgement.refusal_codes import refusal_codes
from gateway.core.acknowledgement.report_facts import REPEATED
from gateway.core.terms import term_label
from gateway.model.verdict import Language, Layer

_TERM: Final = r"\b(?:B[TG]-(?:X-)?|EXT-FR-FE-(?:BG-)?)\d{1,4}(?:-\d{1,2})?(?!\w)"
"""The id of a business term, which no line should break."""
_FIGURE: Final = r"(?<![\w(])\d(?:[\d,\u00a0\u202f]*\d)?[.,]\d+(?!\w)"
"""A number with decimals: what an invoice says, and what it should."""
_SET_OFF: Final = re.compile(rf"(?P<term>{_TERM})|{_FIGURE}")
_STEP: Final = re.compile(r"(?:.*/)?@?(?:[\w.-]+:)?([\w.-]+?)(?:\[\d+\])?$")
_LANGUAGES: Final = (("br-fr", "fr"), ("en16931", "en"), ("facturx", "en"))
"""In which language packs of the catalogue word their rules, by how their names begin."""


def entry(cause: Cause, key: str, position: int, total: int, language: Language) -> Html:
    """One cause as an article with an id, so that rows of documents lead to it."""
    first = cause.places[0]
    words = _Words(language)
    alone = cause.findings == 1
    remedy = first.remedy if alone or not cause.same_remedy else without_line(first.remedy)
    pieces: list[Piece] = [
        element(
            "h3",
            element("span", f"{position}. ", class_="position"),
            set_off(title(cause, language)),
            " ",
            element("span", cause.rule, class_="code"),
        ),
        _paragraph(weight(cause.findings, cause.documents, total, language), "weight"),
    ]
    shared = told_of_all(cause)
    why = set_off(words.set(shared or first.explanation))
    told = [_told(words("why" if shared else "why_first"), why)]
    if remedy:
        label = words("do" if cause.same_remedy else "do_first")
        told.append(_told(label, set_off(words.set(remedy))))
    pieces.append(element("dl", *told, class_="said"))
    pieces.append(_places(cause, shared, words))
    pieces.append(_background(cause, words, language))
    return element("article", *pieces, id=key, class_=f"cause {cause.severity.value}")


class _Words:
    """The labels of one language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        return self.set(WORDS[key].to(self.language).format(**values))

    def set(self, text: str) -> str:
        return typeset(text, self.language)


def title(cause: Cause, language: Language) -> str:
    """What a reader knows it by: a business term, an element, or the check that failed."""
    if cause.rule == REPEATED:
        return WORDS["repeated"].to(language)
    for term in cause.terms:
        label = term_label(term, language)
        if label != term:
            return typeset(f"{label} ({term})", language)
    place = cause.places[0].location
    if place and cause.layer in (Layer.XSD, Layer.SCHEMATRON, Layer.BUSINESS):
        step = _STEP.match(place)
        if step is not None:
            return step[1]
    layer = LAYERS[cause.layer].to(language)
    return layer[:1].upper() + layer[1:]


def _places(cause: Cause, shared: str, words: _Words) -> Html:
    """Where the cause shows first, with what is written there."""
    shown = len(cause.places)
    label = words("place")
    if cause.findings > shown:
        label = words("places", count=number(shown, words.language))
    items = [_place(place, cause, shared, words) for place in cause.places]
    return joined((element("h4", label), element("ol", *items, class_="places")))


def _place(place: Place, cause: Cause, shared: str, words: _Words) -> Html:
    first = place is cause.places[0]
    line: Piece = None
    if place.line is not None:
        key = "line" if place.column is not None else "line_only"
        line = element("span", words(key, line=place.line, column=place.column), class_="line")
    head: list[Piece] = []
    if place.number:
        head += [element("bdi", place.number, class_="number"), " "]
    head.append(element("bdi", place.document, class_="file"))
    if line is not None:
        head += [", ", line]
    pieces: list[Piece] = [element("p", *head, class_="at")]
    own = place.explanation[len(shared) :].strip()
    if own and (shared or not first):
        pieces.append(element("p", set_off(words.set(own))))
    if not first and not cause.same_remedy and place.remedy:
        pieces.append(element("p", set_off(words.set(place.remedy))))
    if place.excerpt:
        before, middle, after = marked(place.excerpt, place.location)
        inner = joined((before, element("mark", middle) if middle else None, after))
        pieces.append(element("pre", element("code", inner), translate="no"))
    if place.location:
        path = element("code", _breakable(place.location))
        pieces.append(element("p", path, class_="path", translate="no"))
    return element("li", *pieces)


def _breakable(path: str) -> Html:
    """A path whose lines end between its steps, if they can."""
    first, *steps = path.split("/")
    return joined((first, *(piece for step in steps for piece in ("/", step, element("wbr")))))


def _background(cause: Cause, words: _Words, language: Language) -> Html:
    """For whoever looks the rule up: its terms, its own words, where it comes from."""
    told: list[Html] = []
    if cause.terms:
        separator = " ; " if language is Language.FR else "; "
        labels = (f"{term} {term_label(term, language)}" for term in cause.terms)
        told.append(
            _told(words("terms"), set_off(words.set(separator.join(dict.fromkeys(labels)))))
        )
    if cause.refusal is not None:
        meaning = refusal_codes()[cause.refusal.code].meaning.to(language)
        told.append(_told(words("platform"), words.set(f"{cause.refusal.code} — {meaning}")))
    source = f" ({cause.pack})" if cause.pack else ""
    rule = element("span", cause.message, lang=_language_of(cause))
    told.append(_told(words("rule"), joined((rule, source))))
    return element("dl", *told, class_="background")


def _language_of(cause: Cause) -> str | None:
    """The language of the rule's own words, where it is known: a screen reader asks."""
    if cause.layer is not Layer.SCHEMATRON or cause.pack is None:
        return "en"
    return next((lang for start, lang in _LANGUAGES if cause.pack.startswith(start)), None)


def _told(label: str, words: Piece) -> Html:
    return element("div", element("dt", label), element("dd", words))


def _paragraph(text: str, kind: str) -> Html | None:
    return element("p", text, class_=kind) if text else None


def set_off(text: str) -> Html:
    """The sentence with its figures set off: what was seen, and what was expected."""
    pieces: list[Piece] = []
    end = 0
    for found in _SET_OFF.finditer(text):
        shown = found[0]
        whole = element("span", shown, class_="term") if found["term"] else element("strong", shown)
        pieces += [text[end : found.start()], whole]
        end = found.end()
    return joined((*pieces, text[end:]))
