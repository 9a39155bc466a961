"""A payload that is one document: the XML itself, or a PDF that carries it (Factur-X)."""

from __future__ import annotations

import msgspec

from gateway.core.container.kinds import HEAD_BYTES, kind
from gateway.core.explain import own_finding
from gateway.model.verdict import Finding


class OpenedDocument(msgspec.Struct, frozen=True):
    """The XML to judge. `findings` are remarks on what it came in; `pdf`: that was a PDF."""

    xml: bytes
    pdf: bool = False
    findings: tuple[Finding, ...] = ()


def open_document(data: bytes) -> OpenedDocument | Finding:
    """The XML of a document, or the finding that says why there is none."""
    found = kind(data[:HEAD_BYTES])
    if found is not None:
        return own_finding("CONTAINER-UNSUPPORTED", kind=found)
    return OpenedDocument(data)
