"""What a broken rule means for the people who must mend the invoice.

The text of an official rule speaks to implementers: "[BR-CO-15]-Invoice total amount with VAT
(BT-112) = …". schemas/explanations.toml says it again for an accountant, in English and French, by
rule or by family of rules; this module fills in the names of the terms, the figures read from the
invoice, the values allowed, and the place in words.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

import msgspec
from lxml import etree

from gateway.core import figures
from gateway.core.figures import COUNT, FOUND, Seen
from gateway.core.seen import counted, value_at, values_of
from gateway.core.terms import labelled, terms
from gateway.core.wordings import Chosen, CodeList, code_list, explanations, wording_for
from gateway.model.interchange import Syntax
from gateway.model.verdict import Finding, Language, Text

_STEP = re.compile(r"/(?:\w+:)?(?P<name>\w+)(?:\[(?P<number>\d+)\])?")
_POSITION = re.compile(r"\[\d+\]")
_PREDICATE = re.compile(r"\[.*")
_IN_SENTENCE = re.compile(r"\{(BT-[\d-]+)\}")


class _Sentences(msgspec.Struct, frozen=True):
    """What can be said in a language before the invoice is looked at. `words`: for the remedy."""

    why: str
    remedy: str
    words: dict[str, str]


class _Meaning(msgspec.Struct, frozen=True):
    """What a rule broken in some kind of place means, whatever the values are there.

    `wanted`: the terms whose values would explain it. `what`: the element or attribute it is about.
    """

    chosen: Chosen
    codes: CodeList | None
    what: str
    wanted: tuple[str, ...]
    said: dict[Language, _Sentences]


def explain_rule(finding: Finding, values: Mapping[str, Seen] | None = None) -> Finding:
    """The finding of an official rule with explanation and remedy in every language.

    `values`: what `values_in` read from the invoice. A finding that is explained stays as it is.
    """
    if finding.explanation is not None:
        return finding
    meaning, place = _meaning_of(finding), place_in_words(finding.location or "")
    said = {language: _said(meaning, values or {}, place, language) for language in Language}
    return msgspec.structs.replace(
        finding,
        explanation=Text(en=said[Language.EN][0], fr=said[Language.FR][0]),
        remedy=Text(en=said[Language.EN][1], fr=said[Language.FR][1]),
    )


def values_in(finding: Finding, element: etree._Element, syntax: Syntax) -> dict[str, Seen]:
    """The values of the invoice that explain this finding, by term; Σ… are sums.

    `element` is the one the finding is about. Besides terms, `figures.FOUND` is the value the
    finding stands at, `figures.COUNT` how often the element a rule counts is there. What the
    invoice does not have is left out.
    """
    meaning = _meaning_of(finding)
    wording, what = meaning.chosen.wording, meaning.what
    values = values_of(meaning.wanted, explanations().values[syntax], element)
    if meaning.chosen.counts and what:
        values[COUNT] = Seen(str(counted(element, what)))
    if wording.equation or meaning.chosen.counts or values.keys() & set(wording.show):
        return values
    attribute = (finding.location or "").partition("/@")[2]
    if meaning.codes is not None and meaning.codes.value:
        attribute = meaning.codes.value
    elif what.startswith("@"):
        attribute = what[1:]
    found = value_at(element, attribute) or value_at(element, "")
    if found is not None and found.text not in {seen.text for seen in values.values()}:
        values[FOUND] = found
    return values


def _meaning_of(finding: Finding) -> _Meaning:
    path = _POSITION.sub("", (finding.location or "").partition("/@")[0])
    return _meaning(finding.rule, finding.message, path, finding.terms)


@functools.lru_cache(maxsize=2048)
def _meaning(rule: str, message: str, path: str, about: tuple[str, ...]) -> _Meaning:
    """Remembered, for invoices break the same rules in the same places. `path`: no positions."""
    chosen = wording_for(rule, message)
    what = chosen.groups.get("what", "")
    codes = _code_list(rule, message, path, what)
    wording = chosen.wording
    wanted = (
        *wording.show,
        *figures.terms_of(wording.equation),
        *_IN_SENTENCE.findall(wording.remedy_en),
    )
    said = {}
    for language in Language:
        why, remedy = wording.said(language)
        words = _words(chosen, rule, about, codes, language)
        filled = why.format_map(_Words(words, language)), remedy.format_map(_Words(words, language))
        said[language] = _Sentences(*filled, words)
    return _Meaning(chosen, codes, what, wanted, said)


def _said(
    meaning: _Meaning, values: Mapping[str, Seen], place: Text | None, language: Language
) -> tuple[str, str]:
    """Explanation and remedy, filled in."""
    sentences, wording = meaning.said[language], meaning.chosen.wording
    where = place.to(language) if place else ""
    if not values:
        return " ".join(filter(None, (sentences.why, where))), sentences.remedy
    # The figures say the rule again, with what is wrong about them.
    said = figures.equation_in_words(wording.equation, values, language) or sentences.why
    told = (
        said,
        figures.shown_in_words(wording.show, values, said, language),
        figures.found_in_words(values, language),
        where,
    )
    remedy = sentences.remedy
    lines = {term: seen.line for term, seen in values.items() if seen.line is not None}
    if lines and _IN_SENTENCE.search(wording.remedy_en):
        template = wording.said(language)[1]
        remedy = template.format_map(_Words(sentences.words, language, lines))
    return " ".join(filter(None, told)), remedy


class _Words(dict[str, str]):
    """What stands for a {name}. A term id that nobody put in is written as that term."""

    def __init__(
        self, words: dict[str, str], language: Language, lines: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(words)
        self._language = language
        self._lines = lines or {}

    def __missing__(self, key: str) -> str:
        named = labelled(key, self._language)
        if key not in self._lines:
            return named
        line = "ligne" if self._language is Language.FR else "line"
        return f"{named.removesuffix(')')}, {line} {self._lines[key]})"


def _words(
    chosen: Chosen,
    rule: str,
    about: tuple[str, ...],
    codes: CodeList | None,
    language: Language,
) -> dict[str, str]:
    known = explanations()
    names = [labelled(term, language) for term in about]
    unnamed = "cet élément" if language is Language.FR else "this element"
    words = {
        "rule": rule,
        "terms": ", ".join(names) or unnamed,
        "term": names[0] if names else unnamed,
        "list": codes.to(language) if codes else "",
    }
    for name, value in chosen.groups.items():
        category = known.categories.get(value) if name == "category" else None
        if category is not None:
            words[name] = category.to(language)
        elif name == "what":
            words[name] = _element(value, language)
        elif value in terms():
            words[name] = labelled(value, language)
        else:
            words[name] = figures.number(value, language)
    return words


def _element(what: str, language: Language) -> str:
    """What a rule is about, in words where it has some: `“country code” (ram:CountryID)`."""
    known = explanations()
    term = known.phrases.get(what, what)
    if term in terms():
        return labelled(term, language)
    shown = _PREDICATE.sub("", what).strip()
    last = shown.replace("/", " ").split()[-1] if shown.split() else shown
    named = known.elements.get(last.rpartition(":")[2])
    if named is None:
        return shown
    return f"« {named.fr} » ({shown})" if language is Language.FR else f"“{named.en}” ({shown})"


def _code_list(rule: str, message: str, path: str, what: str) -> CodeList | None:
    """The list the code of a finding should be of."""
    what = _PREDICATE.sub("", what)
    if what and not path.endswith(f"/{what}"):
        path += f"/{what}"
    return code_list(rule, message, path)


@functools.lru_cache(maxsize=4096)
def place_in_words(location: str) -> Text | None:
    """`/Invoice/cac:InvoiceLine[3]/cac:Price[1]` → "Place: invoice line 3, price."."""
    english, french = [], []
    for step in _STEP.finditer(location):
        name = explanations().places.get(step["name"])
        if name is not None:
            number = f" {step['number'] or 1}" if name.numbered else ""
            english.append(name.en + number)
            french.append(name.fr + number)
    if not english:
        return None
    return Text(en=f"Place: {', '.join(english)}.", fr=f"Endroit : {', '.join(french)}.")
