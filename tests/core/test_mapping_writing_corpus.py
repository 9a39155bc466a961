"""Public example invoices written again, in both syntaxes. Skipped where they are not at hand.

`tests/cli/test_map_corpus.py` does the same by the commands, as an operator would.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.model.interchange import INVOICE_SYNTAXES, Syntax
from tests.core.mapping_documents import content, read
from tests.core.writing_documents import errors, write

CORPUS = Path(os.environ.get("EDI_GATEWAY_CORPUS", "/nonexistent"))
FILES = sorted(CORPUS.glob("*/*.xml"))

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not FILES, reason="EDI_GATEWAY_CORPUS names no folder with examples"),
]


@pytest.mark.parametrize("syntax", INVOICE_SYNTAXES)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_example_is_written_whole_and_valid(file: Path, syntax: Syntax) -> None:
    """Valid when the example is; the same canonical invoice; nothing left out, nothing added."""
    received = file.read_bytes()
    result = read(received)
    written = write(result.invoice, syntax, received)
    assert written.findings == ()
    back = read(written.document)
    assert content(back) == content(result)
    assert back.invoice.source.unmapped == ()
    assert back.invoice.source.derived == ()
    if not errors(received):
        assert errors(written.document) == []
