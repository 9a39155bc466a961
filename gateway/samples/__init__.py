"""Sample invoices written for this project: what the demo sends, and what newcomers can open.

They come in pairs, one good and one with a single, typical fault. Companies, people and numbers
are invented. Verdicts are those of the flow `ctc-fr-invoice`.
"""

from __future__ import annotations

from importlib.resources import files

import msgspec

from gateway.model.interchange import DocumentType, Syntax


class Sample(msgspec.Struct, frozen=True):
    """One sample and what the gateway must say about it.

    `expected_verdict` is `accepted` or `rejected`; `expected_rule` is the first finding of
    severity error, named as findings name it (None for a good sample).
    """

    file: str
    title: str
    syntax: Syntax
    document_type: DocumentType
    expected_verdict: str
    expected_rule: str | None = None


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "ubl-invoice.xml",
        "UBL invoice, two VAT rates",
        Syntax.UBL,
        DocumentType.INVOICE,
        "accepted",
    ),
    Sample(
        "ubl-invoice-faulty.xml",
        "UBL invoice whose total with VAT does not add up",
        Syntax.UBL,
        DocumentType.INVOICE,
        "rejected",
        "BR-CO-15",
    ),
    Sample(
        "ubl-credit-note.xml",
        "UBL credit note that names its invoice",
        Syntax.UBL,
        DocumentType.CREDIT_NOTE,
        "accepted",
    ),
    Sample(
        "ubl-credit-note-faulty.xml",
        "UBL credit note without the date of its invoice",
        Syntax.UBL,
        DocumentType.CREDIT_NOTE,
        "rejected",
        "BR-FR-CO-05_BT-3",
    ),
    Sample(
        "cii-invoice.xml",
        "CII invoice, price per ten",
        Syntax.CII,
        DocumentType.INVOICE,
        "accepted",
    ),
    Sample(
        "cii-invoice-faulty.xml",
        "CII invoice with a decimal comma",
        Syntax.CII,
        DocumentType.INVOICE,
        "rejected",
        "XSD-INVALID",
    ),
)


def sample_bytes(file: str) -> bytes:
    """The sample of that name, as shipped. Raises KeyError for a name that is not a sample."""
    if file not in {sample.file for sample in SAMPLES}:
        raise KeyError(file)
    return files(__package__).joinpath(file).read_bytes()
