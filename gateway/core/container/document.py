"""A payload that is one document: the XML itself, or a PDF that carries it (Factur-X)."""

from __future__ import annotations

import msgspec

from gateway.core.container.kinds import HEAD_BYTES, kind
from gateway.core.explain import own_finding
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding


class OpenedDocument(msgspec.Struct, frozen=True):
    """The XML to judge. `findings` are remarks on what it came in; `pdf`: that was a PDF.

    `level`: the profile the PDF's XMP metadata name (fx:ConformanceLevel), if they do.
    """

    xml: bytes
    pdf: bool = False
    level: str | None = None
    findings: tuple[Finding, ...] = ()


def open_document(data: bytes, limits: DocumentLimits) -> OpenedDocument | Finding:
    """The XML of a document, or the finding that says why there is none."""
    found = kind(data[:HEAD_BYTES])
    if found is None:
        return OpenedDocument(data)
    if found != "PDF":
        return own_finding("CONTAINER-UNSUPPORTED", kind=found)
    # Late: most judges never meet a PDF, and pypdf takes its time to load.
    from gateway.core.container.pdf import open_pdf

    invoice = open_pdf(data, limits)
    if isinstance(invoice, Finding):
        return invoice
    return OpenedDocument(invoice.xml, pdf=True, level=invoice.level, findings=invoice.findings)
