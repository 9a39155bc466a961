"""Random invoices, written and read back: valid ones, and any that the model can hold.

What hypothesis shrinks a failure to goes to tests/data/writing, one canonical invoice per file: it
is tried in both syntaxes from then on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from gateway.core.mapping.writer import Written
from gateway.model.interchange import INVOICE_SYNTAXES, Syntax
from gateway.model.invoice import Invoice, canonical_json
from tests.core.invoice_strategies import SOURCE, any_invoices, valid_invoices
from tests.core.mapping_documents import content, mapping, read
from tests.core.writing_documents import errors, stated, without, write

SHRUNK = sorted((Path(__file__).parent.parent / "data" / "writing").glob("*.json"))


def plain(invoice: Invoice) -> dict[str, Any]:
    """The JSON a consumer would get, decoded, without the source; with what follows from it."""
    decoded: dict[str, Any] = msgspec.json.decode(canonical_json(invoice))
    decoded.pop("source")
    return stated(decoded)


def compared(written: Written, held: dict[str, Any]) -> dict[str, Any]:
    """What must be equal: all but what was told to be added or left out."""
    kept = without(held, written.findings, "MAP-ADDED")
    return without(kept, written.findings, "MAP-NO-PLACE")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(valid_invoices())
def test_a_valid_invoice_is_written_valid_and_reads_back(invoice: Invoice) -> None:
    """By the official schema and rules, in both syntaxes; nothing at all is left out."""
    for syntax in INVOICE_SYNTAXES:
        written = write(invoice, syntax)
        assert {finding.rule for finding in written.findings} <= {"MAP-ADDED"}
        assert errors(written.document) == []
        back = read(written.document)
        assert back.findings == ()
        assert compared(written, content(back)) == compared(written, plain(invoice))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(valid_invoices())
def test_an_invoice_survives_the_way_to_the_other_syntax_and_back(invoice: Invoice) -> None:
    """UBL → CII → UBL: the same document to the byte, once it states what follows."""
    ubl = write(read(write(invoice, Syntax.UBL).document).invoice, Syntax.UBL).document
    cii = write(read(ubl).invoice, Syntax.CII)
    assert cii.findings == ()
    again = write(read(cii.document).invoice, Syntax.UBL)
    # The code that UBL demands around the due date of a credit note is none in the invoice.
    assert {finding.terms for finding in again.findings} <= {("BT-81",)}
    assert again.document == ubl


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_invoices(mapping().table))
def test_every_term_is_written_or_told(invoice: Invoice) -> None:
    """Terms of EN 16931 and of EXTENDED-CTC-FR, in any company, valid or not."""
    for syntax in INVOICE_SYNTAXES:
        written = write(invoice, syntax)
        back = read(written.document)
        # No file is given to be written, and a name without one is told.
        assert {finding.rule for finding in back.findings} <= {"ATTACHMENT-NOTHING"}
        assert compared(written, content(back)) == compared(written, plain(invoice))


@pytest.mark.parametrize("syntax", INVOICE_SYNTAXES)
@pytest.mark.parametrize("file", SHRUNK, ids=lambda file: file.stem)
def test_what_once_failed_works(file: Path, syntax: Syntax) -> None:
    """Found at random, shrunk to what matters."""
    held = {**msgspec.json.decode(file.read_bytes()), "source": SOURCE}
    invoice = msgspec.convert(held, Invoice)
    written = write(invoice, syntax)
    assert compared(written, content(read(written.document))) == compared(written, plain(invoice))
