"""Figures of an invoice in sentences: sums that do not add up, values found.

Amounts come from the document and are not to be trusted: what is no sensible number is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final, NamedTuple

from gateway.core.terms import labelled
from gateway.model.verdict import Language

FOUND: Final = "found"
"""Key of the value a finding stands at: the text of an element, or an attribute."""

COUNT: Final = "count"
"""Key of how often the element that a rule counts is there."""

_TERM = re.compile(r"Σ?BT-\d+\*?")
_OPERAND = re.compile(r"(?P<sign>[-+]?) ?(?P<term>Σ?BT-\d+\*?)(?P<needed>!?)")
_WITH_DECIMALS = re.compile(r"-?\d{1,30}\.\d{1,10}")
_CENT = Decimal("0.01")


class Seen(NamedTuple):
    """A value of the invoice, and the line it stands on; None where a line would say nothing."""

    text: str
    line: int | None = None


def terms_of(equation: str) -> dict[str, None]:
    """The terms an equation is made of: `BT-109 + BT-110! = BT-112`, `ΣBT-131 = BT-106`.

    Σ is the sum of all, with * of those that have the VAT category at hand. A term without a value
    counts as 0; with `!` the sentence says that it is missing.
    """
    return dict.fromkeys(_TERM.findall(equation))


def equation_in_words(equation: str, values: Mapping[str, Seen], language: Language) -> str:
    """What the invoice says, what its own figures make, and the difference.

    “Invoice total amount with VAT” (BT-112) is 1,210.01, but … (BT-109) 1,000.00 + … (BT-110)
    210.00 = 1,210.00: 0.01 too much. "" when a figure is missing or no number, and when the
    figures do add up.
    """
    if not equation:
        return ""
    left, _, result = equation.partition(" = ")
    stated = amount(values[result].text) if result in values else None
    made = _product(left, values, language) if "×" in left else _sum(left, values, language)
    if stated is None or made is None or made[1] == stated:
        return ""
    calculated, total = made
    what = labelled(result, language)
    says, difference = number(str(stated), language), number(str(abs(stated - total)), language)
    of = _category(values, language) if "*" in left else ""
    if language is Language.FR:
        side = "de trop" if stated > total else "de moins"
        return f"{what} vaut {says}, alors que {of}{calculated} : {difference} {side}."
    side = "too much" if stated > total else "too little"
    return f"{what} is {says}, but {of}{calculated}: {difference} {side}."


def shown_in_words(
    terms: Sequence[str], values: Mapping[str, Seen], said: str, language: Language
) -> str:
    """The values of these terms, as far as the invoice has them.

    A term that `said`, what stands before this sentence, names is called by its id alone.
    """
    colon = " : " if language is Language.FR else ": "
    shown = [
        (term if f"({term})" in said else labelled(term, language))
        + colon
        + number(values[term].text, language)
        for term in terms
        if term in values
    ]
    if not shown:
        return ""
    if language is Language.FR:
        return f"Lu dans la facture — {' ; '.join(shown)}."
    return f"Read in the invoice — {'; '.join(shown)}."


def found_in_words(values: Mapping[str, Seen], language: Language) -> str:
    """The value the finding stands at, as written; how often what is counted is there."""
    sentences = []
    if FOUND in values:
        text = values[FOUND].text
        sentences.append(
            f"Valeur trouvée : « {text} »." if language is Language.FR else f"Found: “{text}”."
        )
    if COUNT in values:
        times = values[COUNT].text
        if times == "0":
            sentences.append("Il n'y en a pas." if language is Language.FR else "There is none.")
        else:
            sentences.append(
                f"Nombre trouvé : {times}." if language is Language.FR else f"Found: {times}."
            )
    return " ".join(sentences)


def number(text: str, language: Language) -> str:
    """A figure with decimals as the language writes it (1 210,01 or 1,210.01); others as is."""
    if not _WITH_DECIMALS.fullmatch(text):
        return text
    grouped = f"{Decimal(text):,f}"
    if language is Language.EN:
        return grouped
    return grouped.replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")


def amount(text: str) -> Decimal | None:
    """The number a text stands for, if it is one that can be calculated with."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    # A document may write 1E+999999: exact arithmetic with that would never end.
    if not value.is_finite() or abs(value.adjusted()) > 30:
        return None
    return value


def _sum(left: str, values: Mapping[str, Seen], language: Language) -> tuple[str, Decimal] | None:
    total = Decimal(0)
    operands: list[tuple[str, str, str]] = []
    for operand in _OPERAND.finditer(left):
        term, sign = operand["term"], operand["sign"]
        value = amount(values[term].text) if term in values else Decimal(0)
        if value is None:
            return None
        total += -value if sign == "-" else value
        if term in values and (value or not term.endswith("*")):
            operands.append((sign, term, number(str(value), language)))
        elif operand["needed"]:
            operands.append((sign, term, "(absent)" if language is Language.FR else "(missing)"))
    if not terms_of(left).keys() & values.keys():
        return None
    if len(operands) == 1:
        _sign, term, figure = operands[0]
        return f"{_sum_of(term, language)} {figure}", total
    calculated = " ".join(
        f"{sign} {'Σ ' * term.startswith('Σ')}{labelled(term.strip('Σ*'), language)} {figure}"
        for sign, term, figure in operands
    )
    return f"{calculated.strip().removeprefix('+ ')} = {number(str(total), language)}", total


def _product(
    left: str, values: Mapping[str, Seen], language: Language
) -> tuple[str, Decimal] | None:
    """`BT-116 × BT-119`: an amount and a rate in per cent, rounded to the cent."""
    base, rate = terms_of(left)
    if base not in values or rate not in values:
        return None
    basis, percent = amount(values[base].text), amount(values[rate].text)
    if basis is None or percent is None:
        return None
    total = (basis * percent / 100).quantize(_CENT, ROUND_HALF_UP)
    text = (
        f"{labelled(base, language)} {number(str(basis), language)} × "
        f"{labelled(rate, language)} {number(str(percent), language)} % = "
        f"{number(str(total), language)}"
    )
    return text, total


def _sum_of(term: str, language: Language) -> str:
    """A figure that stands alone: `the sum of “Invoice line net amount” (BT-131) is`."""
    whole = labelled(term.strip("Σ*"), language)
    if not term.startswith("Σ"):
        return whole
    return f"la somme de {whole} donne" if language is Language.FR else f"the sum of {whole} is"


def _category(values: Mapping[str, Seen], language: Language) -> str:
    """Which VAT category a sum is of: `for the category S at 20.00 % `."""
    category = values["BT-118"].text if "BT-118" in values else "–"
    rate = f"{number(values['BT-119'].text, language)} %" if "BT-119" in values else ""
    if language is Language.FR:
        return f"pour la catégorie {category}{' à ' * bool(rate)}{rate}, "
    return f"for the category {category}{' at ' * bool(rate)}{rate}, "
