"""An attached file as it is met in a document: taken, looked at, and told in the invoice."""

from __future__ import annotations

from typing import Final

from lxml import etree
from msgspec import structs

from gateway.core.mapping.conversions import Reading
from gateway.core.mapping.file_rules import FILE, objections
from gateway.core.mapping.files import NotBase64
from gateway.model.invoice import AttachedDocument
from gateway.model.invoice_types import BusinessGroup
from gateway.model.publication import payload_uri

MAX_FILES: Final = 1000
"""So many are taken from one document: each is a file on disk that has to be made durable."""


def with_file(group: BusinessGroup, element: etree._Element, reading: Reading) -> BusinessGroup:
    """The group (BT-125) with size, sum and, if the file was kept, address of what is in `element`.

    What there is to say about the file is reported. An empty one has neither size nor sum.
    """
    if not isinstance(group, AttachedDocument):
        raise TypeError(f"the mapping table calls {type(group).__name__} a file")
    reading.attached += 1
    if reading.attached > MAX_FILES:
        if reading.attached == MAX_FILES + 1:
            reading.report("ATTACHMENT-TOO-MANY", element, FILE, limit=MAX_FILES)
        return group
    try:
        taken = reading.files.take(_text(element))
    except NotBase64:
        reading.report("ATTACHMENT-ENCODING", element, FILE, file=group.filename or "?")
        return group
    for each in objections(group.filename, group.mime_code, taken, reading.file_rules):
        reading.report(
            each.rule,
            element,
            each.term,
            variant=each.variant,
            severity=each.severity,
            **each.values,
        )
    if not taken.size:
        return group
    uri = payload_uri(taken.sha256) if taken.kept else None
    return structs.replace(group, size=taken.size, sha256=taken.sha256, uri=uri)


def _text(element: etree._Element) -> str:
    """The content as it stands: trimming it would copy it once more."""
    text = str(element.xpath("string()")) if len(element) else element.text
    return text or ""
