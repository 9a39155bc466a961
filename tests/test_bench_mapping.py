"""The measurement of mapping: what it compares, and that it notices what is too slow."""

from __future__ import annotations

import pytest

from bench import mapping
from gateway.model.interchange import INVOICE_SYNTAXES, Syntax

QUICK = {
    1_000: {"parse": 5.0, "xsd": 5.0, "read": 12.0, "write": 13.0},
    10_000: {"parse": 50.0, "xsd": 50.0, "read": 120.0, "write": 130.0},
}


def test_mapping_is_compared_with_parsing_and_schema_of_the_same_document() -> None:
    """The ratio is that of the long document, the growth that of the long one to the short."""
    found = mapping.figures(QUICK)
    assert found == {
        "read_ratio": 1.2,
        "write_ratio": 1.3,
        "read_growth": 10.0,
        "write_growth": 10.0,
    }
    assert mapping.too_slow(found) == []


@pytest.mark.parametrize(
    ("few", "many", "slow"),
    [(13.0, 160.0, ["write_ratio"]), (5.0, 140.0, ["write_growth"])],
)
def test_what_is_too_slow_is_named(few: float, many: float, slow: list[str]) -> None:
    """More than 1.5 times parsing and schema; or more than half as much again as linear."""
    measured = {
        1_000: {**QUICK[1_000], "write": few},
        10_000: {**QUICK[10_000], "write": many},
    }
    assert mapping.too_slow(mapping.figures(measured)) == slow


@pytest.mark.parametrize("syntax", INVOICE_SYNTAXES)
def test_every_step_is_measured(syntax: Syntax) -> None:
    """On documents that are valid and written whole."""
    least = mapping.Meter().measure(syntax, 20, 1)
    assert least.keys() == set(mapping.STEPS)
    assert all(time > 0 for time in least.values())
