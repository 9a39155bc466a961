"""Figures in sentences."""

from __future__ import annotations

import pytest

from gateway.core.figures import Seen, amount, equation_in_words, number, shown_in_words
from gateway.model.verdict import Language

TOTALS = {"BT-109": Seen("1000.00"), "BT-110": Seen("210.00"), "BT-112": Seen("1210.01", 214)}


@pytest.mark.parametrize(
    ("text", "english", "french"),
    [
        ("1210.01", "1,210.01", "1 210,01"),
        ("-1234567.5", "-1,234,567.5", "-1 234 567,5"),
        ("0.10", "0.10", "0,10"),
        ("380", "380", "380"),
        ("20260131", "20260131", "20260131"),
        ("1E+5", "1E+5", "1E+5"),
        ("twelve", "twelve", "twelve"),
    ],
)
def test_figures_are_written_as_the_language_does(text: str, english: str, french: str) -> None:
    """Only what has decimals: a code or a date without separators is no figure."""
    assert number(text, Language.EN) == english
    assert number(text, Language.FR).replace("\N{NO-BREAK SPACE}", " ") == french


def test_a_sum_that_fails_says_by_how_much() -> None:
    """What the invoice says, what its own figures make, the difference."""
    said = equation_in_words("BT-109 + BT-110 = BT-112", TOTALS, Language.EN)
    assert said == (
        "“Invoice total amount with VAT” (BT-112) is 1,210.01, but “Invoice total amount without"
        " VAT” (BT-109) 1,000.00 + “Invoice total VAT amount” (BT-110) 210.00 = 1,210.00:"
        " 0.01 too much."
    )


def test_a_sum_over_the_lines_names_itself() -> None:
    """Σ is one figure: nothing to add up before the reader's eyes."""
    values = {"ΣBT-131": Seen("90.00"), "BT-106": Seen("80.00")}
    said = equation_in_words("ΣBT-131 = BT-106", values, Language.FR)
    assert "vaut 80,00, alors que la somme de « Montant net de " in said
    assert said.endswith("(BT-131) donne 90,00 : 10,00 de moins.")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"BT-112": Seen("1210.01")},
        {"BT-109": Seen("1000"), "BT-110": Seen("210")},
        {**TOTALS, "BT-112": Seen("1210.00")},
        {**TOTALS, "BT-109": Seen("1E+999999999")},
    ],
)
def test_a_sum_that_holds_or_cannot_be_made_says_nothing(values: dict[str, Seen]) -> None:
    """Silence is better than a false figure."""
    assert equation_in_words("BT-109 + BT-110 = BT-112", values, Language.EN) == ""


def test_values_shown_are_those_the_invoice_has() -> None:
    """By name; a term without a value is left out."""
    values = {"BT-9": Seen("2026-01-31")}
    assert shown_in_words(("BT-2", "BT-9"), values, "", Language.EN) == (
        "Read in the invoice — “Payment due date” (BT-9): 2026-01-31."
    )
    assert shown_in_words(("BT-9",), values, "…due date” (BT-9)…", Language.FR) == (
        "Lu dans la facture — BT-9 : 2026-01-31."
    )
    assert shown_in_words(("BT-2",), {}, "", Language.EN) == ""


def test_a_figure_that_is_missing_is_said_to_be() -> None:
    """Where the sum cannot be without it; what is optional counts as nothing in silence."""
    values = {"BT-109": Seen("1000.00"), "BT-112": Seen("1210.00")}
    said = equation_in_words("BT-109 + BT-110! = BT-112", values, Language.EN)
    assert "1,000.00 + “Invoice total VAT amount” (BT-110) (missing) = 1,000.00: 210" in said
    quiet = equation_in_words("BT-109 - BT-107 = BT-112", values, Language.EN)
    assert "BT-107" not in quiet


@pytest.mark.parametrize("text", ["NaN", "Infinity", "", "twelve", "1E+999999999", "9" * 5000])
def test_what_cannot_be_calculated_with_is_no_amount(text: str) -> None:
    """Exact arithmetic with it would never end, or means nothing."""
    assert amount(text) is None
