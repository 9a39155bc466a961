"""Public example invoices written again, in both syntaxes. Skipped where they are not at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.model.interchange import Syntax
from tests.core.mapping_documents import content, read
from tests.core.writing_documents import errors, without, write

CORPUS = Path(os.environ.get("EDI_GATEWAY_CORPUS", "/nonexistent"))
FILES = sorted(CORPUS.glob("*/*.xml"))

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not FILES, reason="EDI_GATEWAY_CORPUS names no folder with examples"),
]

_TOLD = {
    # A gross price without a discount, which UBL cannot do without.
    ("CII-BR-CO-10-RoundingIssue.xml", Syntax.UBL): {("MAP-ADDED", "BT-147")},
    # No total of VAT, which UBL wants around the breakdown.
    ("CII_example7.xml", Syntax.UBL): {("MAP-ADDED", "BT-110")},
    ("XRechnung-O.xml", Syntax.UBL): {("MAP-ADDED", "BT-110")},
    # A discount without a gross price, which CII cannot do without.
    ("guide-example2.xml", Syntax.CII): {("MAP-ADDED", "BT-148")},
    ("ubl-tc434-example2.xml", Syntax.CII): {("MAP-ADDED", "BT-148")},
    # The currency for VAT is that of the invoice, which BR-53 of CII forbids.
    ("sample-discount-price.xml", Syntax.CII): {
        ("MAP-NO-PLACE", "BT-6"),
        ("MAP-NO-PLACE", "BT-111"),
    },
}
"""What a syntax cannot say, or demands beside, by example."""


@pytest.mark.parametrize("syntax", Syntax)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_example_is_written_whole_and_valid(file: Path, syntax: Syntax) -> None:
    """Valid when the example is; the same canonical invoice, but for the little that is told."""
    received = file.read_bytes()
    result = read(received)
    written = write(result.invoice, syntax, received)
    told = {(finding.rule, term) for finding in written.findings for term in finding.terms}
    assert told == _TOLD.get((file.name, syntax), set())
    back = read(written.document)
    assert without(content(back), written.findings, "MAP-ADDED") == without(
        content(result), written.findings, "MAP-NO-PLACE"
    )
    if not errors(received):
        assert errors(written.document) == []
