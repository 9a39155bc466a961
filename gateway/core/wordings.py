"""The sentences of schemas/explanations.toml, and which of them are for a rule.

A rule has words of its own, or those of the first family whose expressions fit its id and text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import msgspec

from gateway.core.schematron.svrl import UNNAMED
from gateway.model.interchange import Syntax
from gateway.model.verdict import Language, Text
from gateway.resources import data_folder

_MAX_SEARCHED = 600
_QUOTED_RULE = re.compile(r"\[((?:BR|CII|UBL|PEPPOL)-[A-Za-z0-9-]*\d[a-z]*)\]")
"""What a text begins with when it repeats a rule of another pack."""


class Wording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sentences about a rule. Empty ones are taken from the first family that fits."""

    why_en: str = ""
    why_fr: str = ""
    remedy_en: str = ""
    remedy_fr: str = ""
    show: tuple[str, ...] = ()
    equation: str = ""

    def said(self, language: Language) -> tuple[str, str]:
        """Why, and remedy."""
        if language is Language.FR:
            return self.why_fr, self.remedy_fr
        return self.why_en, self.remedy_en


class Family(Wording, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sentences about every rule whose id and text fit. `count`: say how often {what} is there."""

    rule: str = ""
    message: str = ""
    count: bool = False

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


class CodeList(Text, frozen=True, kw_only=True):
    """A list of codes by name, with a few likely ones.

    `rule` and `at` are regular expressions over the rule's id and the path to the code, positions
    left out; one of them must fit. `value`: the attribute that holds the code, else the element
    does.
    """

    rule: str = ""
    at: str = ""
    value: str = ""


class Explanations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """schemas/explanations.toml."""

    rules: dict[str, Wording]
    families: tuple[Family, ...]
    categories: dict[str, Text]
    lists: tuple[CodeList, ...]
    phrases: dict[str, str]
    elements: dict[str, Text]
    places: dict[str, PlaceName]
    values: dict[Syntax, dict[str, str]]


class Chosen(msgspec.Struct, frozen=True):
    """The wording for a rule. `groups`: named groups of its family; `hand`: none was needed."""

    wording: Wording
    groups: dict[str, str]
    hand: bool
    counts: bool = False


@functools.cache
def explanations() -> Explanations:
    """The explanations of this installation."""
    file = data_folder("schemas") / "explanations.toml"
    return msgspec.toml.decode(file.read_bytes(), type=Explanations)


@functools.lru_cache(maxsize=4096)
def wording_for(rule: str, message: str) -> Chosen:
    """The sentences for a rule, by its id and text: its own, completed by the first family."""
    known = explanations()
    rule = named_rule(rule, message)
    own = next((known.rules[name] for name in _shorter(rule) if name in known.rules), Wording())
    if own.why_en and own.remedy_en:
        return Chosen(own, {}, hand=True)
    for family in known.families:
        groups = family.fits(rule, message)
        if groups is not None:
            wording = Wording(
                why_en=own.why_en or family.why_en,
                why_fr=own.why_fr or family.why_fr,
                remedy_en=own.remedy_en or family.remedy_en,
                remedy_fr=own.remedy_fr or family.remedy_fr,
                show=own.show or family.show,
                equation=own.equation or family.equation,
            )
            return Chosen(wording, groups, hand=False, counts=family.count)
    return Chosen(own, {}, hand=False)


def named_rule(rule: str, message: str) -> str:
    """The rule an assertion stands for; Factur-X numbers its own FX-SCH-A-…, or not at all."""
    if rule != UNNAMED and not rule.startswith("FX-"):
        return rule
    quoted = _QUOTED_RULE.match(message.lstrip())
    return quoted[1] if quoted else rule


def _shorter(rule: str) -> Iterator[str]:
    """The id, and what remains as its suffixes go: BR-FR-01_BT-1-2, BR-FR-01_BT-1, …."""
    while rule:
        yield rule
        rule = re.sub(r"[-_]?[^-_]*$", "", rule)


@functools.lru_cache(maxsize=1024)
def code_list(rule: str, message: str, path: str) -> CodeList | None:
    """The list for the code at `path` (XPath without positions), or that a rule is about."""
    rule = named_rule(rule, message)
    path = path[-_MAX_SEARCHED:]
    for codes in explanations().lists:
        if codes.rule and re.fullmatch(codes.rule, rule):
            return codes
        if codes.at and re.search(codes.at, path):
            return codes
    return None
