"""The rewritten packs say what the shipped ones say, on thousands of damaged invoices each.

EDI_GATEWAY_EQUIVALENCE sets how many (default 5000), EDI_GATEWAY_MUTATION_SEED which ones;
`make equivalence` judges 50,000.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.core.schematron.compiler import Rewriting, rewrite
from tests import both_ways, equivalence
from tests.equivalence import PACKS, Outcome, compare, words
from tests.official_packs import official

INVOICES = int(os.environ.get("EDI_GATEWAY_EQUIVALENCE", "5000"))
SEED = os.environ.get("EDI_GATEWAY_MUTATION_SEED", "1")
SHARE = 0.8
"""Of the rules of a pack that must have fired, once there were invoices enough."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("pack", PACKS)
def test_nothing_is_judged_otherwise(
    pack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Same rules, places, severities and texts, in the same order; nearly every rule takes part."""
    official(pack)
    outcome = compare(pack, INVOICES, SEED, tmp_path)
    with capsys.disabled():
        print(f"\n{words(pack, outcome)}", end=" ")
    assert outcome.judged == INVOICES
    assert outcome.differences == ()
    if INVOICES >= 5000:
        assert outcome.share >= SHARE


def test_a_difference_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rewriting that changes one text is caught, and the invoice that shows it is kept."""

    def careless(text: str, codes: Mapping[str, str]) -> Rewriting:
        good = rewrite(text, codes)
        assert "[BR-FR-CPRO-01]" in good.stylesheet
        return good._replace(stylesheet=good.stylesheet.replace("[BR-FR-CPRO-01]", "[BR-X]"))

    monkeypatch.setattr(both_ways, "rewrite", careless)
    outcome = equivalence.part("b2g-ubl", 200, SEED, tmp_path)
    assert outcome.differences
    assert len(list(tmp_path.glob("b2g-ubl-*.xml"))) == len(outcome.differences)


def test_the_words_of_an_outcome() -> None:
    """Differences, the share of the rules, and how often there was nothing to compare."""
    outcome = Outcome(10, frozenset("ab"), frozenset("abcd"), ("one.xml: …",), 3)
    assert words("p", outcome) == (
        "p: 10 damaged invoices, 1 judged otherwise; 2 of 4 rules fired (50 %);"
        " 3 that the shipped stylesheet fails on"
    )
