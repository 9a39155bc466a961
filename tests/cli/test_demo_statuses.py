"""What the demo says of the batch its partner sent twice."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.cli.demo_statuses import Status, Told
from gateway.model.verdict import Language

STATES = {"batch.tar.gz": "IN_INTEGRE_PARTIEL", "batch-corrected.tar.gz": "IN_INTEGRE_PARTIEL"}
MENDED = [
    Status(f"B{n}", status, reason, "f")
    for n in range(3)
    for status, reason in (("213", "REJ_COH"), ("200", ""))
]
REPEATED = [
    Status(f"G{n}", status, reason, "f")
    for n in range(3)
    for status, reason in (("200", ""), ("213", "DOUBLON"))
]
TOLD = Told(
    states=STATES,
    counts=dict.fromkeys(STATES, "of 6 invoices 3 integrated, 3 rejected"),
    statuses=tuple(MENDED + REPEATED),
    pages=(Path("batch.report.html"),),
    checked="by the rules",
)


def test_everything_told_is_good() -> None:
    """States, statuses, a page; and the words name each."""
    assert TOLD.good
    words = TOLD.words()
    assert "213 Rejetée" in words
    assert "DOUBLON" in words
    assert "batch.report.html" in words
    assert "by the rules" in words
    assert "IN_INTEGRE_PARTIEL (Integrated in part): of 6 invoices 3 integrated" in words
    assert "REJ_COH           Data not consistent" in words
    assert "Every invoice of the batch is now integrated, once." in words
    assert "REJ_COH           Contrôle de cohérence des données" in TOLD.words(Language.FR)


def test_nothing_is_explained_that_did_not_happen() -> None:
    """Without the second state the words do not claim that all went well."""
    words = msgspec.structs.replace(
        TOLD, states=STATES | {"batch-corrected.tar.gz": "NOT TOLD"}, counts={}, pages=()
    ).words()
    assert "NOT TOLD: no report came" in words
    assert "now integrated" not in words
    assert "NONE" in words


@pytest.mark.parametrize(
    "change",
    [
        {"states": STATES | {"batch.tar.gz": "NOT TOLD"}},
        {"statuses": tuple(MENDED)},
        {"statuses": TOLD.statuses[1:]},
        {"pages": ()},
    ],
)
def test_whatever_is_missing_is_not_good(change: dict[str, object]) -> None:
    """A batch without state, a status, the page."""
    assert not msgspec.structs.replace(TOLD, **change).good
