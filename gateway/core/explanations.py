"""What a broken rule means for the people who must mend the invoice.

The text of an official rule speaks to implementers: "[BR-CO-15]-Invoice total amount with VAT
(BT-112) = …". schemas/explanations.toml says it again for an accountant, in English and French, by
rule or by family of rules; this module fills in the names of the terms, the figures read from the
invoice, and the place in words.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, cast

import msgspec
from lxml import etree

from gateway.core.terms import labelled, terms
from gateway.model.interchange import Syntax
from gateway.model.verdict import Finding, Language, Text
from gateway.resources import data_folder

NAMESPACES: Final = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}
"""Prefixes of the XPaths in schemas/explanations.toml."""

_MAX_VALUE: Final = 100
_MAX_SEARCHED: Final = 600
_STEP = re.compile(r"/(?:\w+:)?(?P<name>\w+)(?:\[(?P<number>\d+)\])?")
_OPERAND = re.compile(r"(?P<sign>[-+]?) ?(?P<term>Σ?B[TG]-\d+)")
_QUOTED_RULE = re.compile(r"\[(BR-[A-Za-z0-9-]*\d+[a-z]*)\]")
"""Factur-X numbers its assertions FX-SCH-A-…; their text begins with the rule they stand for."""
_NO_TERMS: Final = Text(en="see the rule's text", fr="voir le texte de la règle")


class Wording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sentences about a rule. Empty ones are taken from the first family that fits."""

    why_en: str = ""
    why_fr: str = ""
    remedy_en: str = ""
    remedy_fr: str = ""
    show: tuple[str, ...] = ()
    equation: str = ""


class Family(Wording, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sentences about every rule whose id and text fit."""

    rule: str = ""
    message: str = ""

    def fits(self, rule: str, message: str) -> dict[str, str] | None:
        """The named groups of both expressions; None when one does not fit."""
        by_rule = re.fullmatch(self.rule or ".*", rule)
        if by_rule is None:
            return None
        # A text may quote the partner's document: bounded, so that it cannot slow the search.
        by_message = re.search(self.message, message[:_MAX_SEARCHED])
        if by_message is None:
            return None
        groups = by_rule.groupdict() | by_message.groupdict()
        return {name: value for name, value in groups.items() if value}


class PlaceName(Text, frozen=True):
    """What an element is called in a sentence. `numbered`: there may be several."""

    numbered: bool = False


class Explanations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """schemas/explanations.toml."""

    rules: dict[str, Wording]
    families: tuple[Family, ...]
    categories: dict[str, Text]
    places: dict[str, PlaceName]
    values: dict[Syntax, dict[str, str]]


@functools.cache
def explanations() -> Explanations:
    """The explanations of this installation."""
    file = data_folder("schemas") / "explanations.toml"
    return msgspec.toml.decode(file.read_bytes(), type=Explanations)


def explain_rule(finding: Finding, values: Mapping[str, str] | None = None) -> Finding:
    """The finding of an official rule with explanation and remedy in every language.

    `values`: what `values_in` read from the invoice. A finding that is explained stays as it is.
    """
    if finding.explanation is not None:
        return finding
    wording, groups = _wording(finding.rule, finding.message)
    said = {language: _filled(wording, finding, groups, language) for language in Language}
    figures = {language: _figures(wording, values or {}, language) for language in Language}
    place = _place(finding.location or "")

    def explanation(language: Language) -> str:
        sentences = (said[language][0], figures[language], place.to(language) if place else "")
        return " ".join(filter(None, sentences))

    return msgspec.structs.replace(
        finding,
        explanation=Text(en=explanation(Language.EN), fr=explanation(Language.FR)),
        remedy=Text(en=said[Language.EN][1], fr=said[Language.FR][1]),
    )


def values_in(finding: Finding, element: etree._Element, syntax: Syntax) -> dict[str, str]:
    """The values of the invoice that explain this finding, by term; Σ… are sums.

    `element` is the one the finding is about. Terms without a value are left out.
    """
    wording, _groups = _wording(finding.rule, finding.message)
    wanted = [*wording.show, *(operand["term"] for operand in _OPERAND.finditer(wording.equation))]
    values = {}
    for term in wanted:
        path = explanations().values[syntax].get(term)
        if path is None:
            continue
        found = cast("list[etree._Element]", _xpath(path)(element))
        texts = [text for node in found if (text := (node.text or "").strip())]
        if term.startswith("Σ"):
            amounts = [_amount(text) for text in texts]
            if None not in amounts:
                values[term] = str(sum(filter(None, amounts), Decimal(0)))
        elif texts:
            text = texts[0]
            values[term] = text if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + "…"
    return values


@functools.lru_cache(maxsize=4096)
def _wording(rule: str, message: str) -> tuple[Wording, dict[str, str]]:
    known = explanations()
    if quoted := _QUOTED_RULE.match(message):
        rule = quoted[1]
    own = next((known.rules[name] for name in _shorter(rule) if name in known.rules), Wording())
    if own.why_en and own.remedy_en:
        return own, {}
    for family in known.families:
        groups = family.fits(rule, message)
        if groups is not None:
            return (
                Wording(
                    why_en=own.why_en or family.why_en,
                    why_fr=own.why_fr or family.why_fr,
                    remedy_en=own.remedy_en or family.remedy_en,
                    remedy_fr=own.remedy_fr or family.remedy_fr,
                    show=own.show or family.show,
                    equation=own.equation or family.equation,
                ),
                groups,
            )
    return own, {}


def _shorter(rule: str) -> Iterator[str]:
    """The id, and what remains as its suffixes go: BR-FR-01_BT-1-2, BR-FR-01_BT-1, …."""
    while rule:
        yield rule
        rule = re.sub(r"[-_]?[^-_]*$", "", rule)


class _Words(dict[str, str]):
    """What stands for a {name}. A term id that nobody put in is written as that term."""

    def __init__(self, words: dict[str, str], language: Language) -> None:
        super().__init__(words)
        self._language = language

    def __missing__(self, key: str) -> str:
        return labelled(key, self._language)


def _filled(
    wording: Wording, finding: Finding, groups: dict[str, str], language: Language
) -> tuple[str, str]:
    names = [labelled(term, language) for term in finding.terms]
    nothing = _NO_TERMS.to(language)
    words = _Words(
        {
            "rule": finding.rule,
            "terms": ", ".join(names) or nothing,
            "term": names[0] if names else nothing,
        },
        language,
    )
    for name, value in groups.items():
        category = explanations().categories.get(value) if name == "category" else None
        words[name] = labelled(value, language) if value in terms() else value
        if category is not None:
            words[name] = category.to(language)
    why, remedy = (
        (wording.why_fr, wording.remedy_fr)
        if language is Language.FR
        else (wording.why_en, wording.remedy_en)
    )
    return why.format_map(words), remedy.format_map(words)


def _figures(wording: Wording, values: Mapping[str, str], language: Language) -> str:
    if wording.equation:
        return _sum_in_words(wording.equation, values, language)
    shown = [f"{term} = {values[term]}" for term in wording.show if term in values]
    if not shown:
        return ""
    lead = "Lu dans la facture :" if language is Language.FR else "Read in the invoice:"
    return f"{lead} {', '.join(shown)}."


def _sum_in_words(equation: str, values: Mapping[str, str], language: Language) -> str:
    """`100.00 (BT-109) + 20.00 (BT-110) = 120.00, the invoice says 121.00 (BT-112): 1.00 more`."""
    left, _, result = equation.partition(" = ")
    stated = _amount(values.get(result, ""))
    total = Decimal(0)
    operands = []
    for operand in _OPERAND.finditer(left):
        term, sign = operand["term"], operand["sign"]
        amount = _amount(values.get(term, "0"))
        if amount is None:
            return ""
        total += -amount if sign == "-" else amount
        if term in values:
            operands.append(f"{sign} {values[term]} ({term})".strip())
    if stated is None or not operands or total == stated:
        return ""
    calculated = " ".join(operands).removeprefix("+ ")
    if len(operands) > 1:
        calculated += f" = {total}"
    difference = abs(stated - total)
    if language is Language.FR:
        side = "de trop" if stated > total else "de moins"
        return (
            f"Calculé : {calculated} ; la facture indique {stated} ({result}), "
            f"soit {difference} {side}."
        )
    side = "too much" if stated > total else "too little"
    return f"Calculated: {calculated}; the invoice says {stated} ({result}), {difference} {side}."


@functools.lru_cache(maxsize=4096)
def _place(location: str) -> Text | None:
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


@functools.cache
def _xpath(path: str) -> etree.XPath:
    return etree.XPath(path, namespaces=NAMESPACES)


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    # A document may write 1E+999999: exact arithmetic with that would never end.
    if not amount.is_finite() or abs(amount.adjusted()) > 30:
        return None
    return amount
