"""Invoices with files attached (BT-125), in either syntax."""

from __future__ import annotations

import base64
from typing import Final
from xml.sax.saxutils import quoteattr

_UBL_PLACE: Final = b"<cac:AccountingSupplierParty>"
_CII_PLACE: Final = b"</ram:ApplicableHeaderTradeAgreement>"


def with_attachment(
    data: bytes,
    content: bytes | str,
    *,
    name: str | None = "annexe.pdf",
    code: str | None = "application/pdf",
    reference: str = "PJ-1",
) -> bytes:
    """The invoice with one file more. `content` as text: what stands there, Base64 or not."""
    text = content if isinstance(content, str) else base64.b64encode(content).decode()
    told = "".join(
        f" {attribute}={quoteattr(value)}"
        for attribute, value in (("mimeCode", code), ("filename", name))
        if value is not None
    )
    if _UBL_PLACE in data:
        element = (
            f"<cac:AdditionalDocumentReference><cbc:ID>{reference}</cbc:ID><cac:Attachment>"
            f"<cbc:EmbeddedDocumentBinaryObject{told}>{text}</cbc:EmbeddedDocumentBinaryObject>"
            "</cac:Attachment></cac:AdditionalDocumentReference>"
        )
        return data.replace(_UBL_PLACE, element.encode() + _UBL_PLACE, 1)
    element = (
        "<ram:AdditionalReferencedDocument>"
        f"<ram:IssuerAssignedID>{reference}</ram:IssuerAssignedID><ram:TypeCode>916</ram:TypeCode>"
        f"<ram:AttachmentBinaryObject{told}>{text}</ram:AttachmentBinaryObject>"
        "</ram:AdditionalReferencedDocument>"
    )
    return data.replace(_CII_PLACE, element.encode() + _CII_PLACE, 1)
