"""What a file of an archive is meant to be, told from its first bytes and then from its name."""

from __future__ import annotations

import contextlib
import pyexpat
import re
from enum import StrEnum
from typing import Final

from gateway.core.container.entries import Flaw
from gateway.core.container.kinds import kind
from gateway.core.container.names import base_name, extension

HEAD: Final = 1 << 14
"""Bytes that are looked at; the root element of a signature file must begin in them."""

MAX_ATTACHMENT_NAME: Final = 50
"""Characters in the name of an attachment (Chorus Pro)."""


class Content(StrEnum):
    """What the bytes of a file are."""

    XML = "xml"
    PDF = "pdf"
    ATTACHMENT = "attachment"
    SIGNATURE = "signature"
    ENVELOPE = "envelope"
    """A signature that may hold the signed document itself (.p7m)."""
    OTHER = "other"


_OFFICE: Final = frozenset({"xlsx", "ods", "docx"})
"""Documents that are ZIP archives inside, yet single files to whoever sends them."""

_OTHER_OFFICE: Final = frozenset(
    {"docm", "dotx", "odg", "odp", "odt", "pages", "pptm", "pptx", "xlsb", "xlsm", "xltx"}
)
"""More of these, which are not taken: to call them archives would only puzzle their senders."""

_ATTACHMENTS: Final[dict[str, tuple[bytes, ...]]] = {
    "png": (b"\x89PNG\r\n\x1a\n",),
    "jpg": (b"\xff\xd8\xff",),
    "jpeg": (b"\xff\xd8\xff",),
    **dict.fromkeys(_OFFICE, (b"PK\x03\x04",)),
}
"""Attachments that EN 16931 allows (BT-125-1), and how such files begin. PDF and CSV have words of
their own below."""

_SIGNATURES: Final = frozenset({"p7s", "p7m", "sig", "asc"})
_DER = re.compile(rb"0[\x80-\x84]")
"""CMS is a sequence of more than 127 bytes (X.690 §8.1.3)."""
_ARMOURED: Final = b"-----BEGIN "
_OPENPGP: Final = frozenset({0x88, 0x89, 0x8A, 0xC2})
"""First byte of a signature packet (RFC 9580 §4.2)."""

_SIGNATURE_ROOTS: Final = frozenset(
    {
        "http://www.w3.org/2000/09/xmldsig# Signature",
        "http://uri.etsi.org/02918/v1.1.1# XAdESSignatures",
        "http://uri.etsi.org/02918/v1.2.1# XAdESSignatures",
        "http://uri.etsi.org/2918/v1.1.1# XAdESSignatures",
        "http://uri.etsi.org/2918/v1.2.1# XAdESSignatures",
    }
)
"""XML signatures, and the files ASiC containers keep them in (ETSI TS 102 918, EN 319 162)."""

_XML_STARTS: Final = (b"<", b"\xff\xfe<\0", b"\xfe\xff\0<", b"<\0", b"\0<")
_TEXT_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f]")


def content_of(head: bytes, name: str) -> Content | Flaw:
    """What the file is, or why it cannot be taken. `head`: its first HEAD bytes."""
    suffix = extension(name)
    if _begins_as_xml(head):
        return Content.SIGNATURE if _is_signature(head) else Content.XML
    found = kind(head)
    if found == "PDF":
        return Content.PDF
    if head.startswith(_ATTACHMENTS.get(suffix, ())):
        return Content.ATTACHMENT
    if found == "Microsoft Office" or (found == "ZIP" and suffix in _OTHER_OFFICE):
        return Flaw("CONTAINER-MEMBER-TYPE")
    if found is not None:
        return Flaw("CONTAINER-MEMBER-NESTED", values={"kind": found})
    if suffix in _SIGNATURES and _signs(head):
        return Content.ENVELOPE if suffix == "p7m" else Content.SIGNATURE
    if suffix == "csv" and not _TEXT_CONTROLS.search(head):
        return Content.ATTACHMENT
    if suffix == "xml":
        # Not XML as it stands, but meant to be: judging it says best what is wrong with it.
        return Content.XML
    return Flaw("CONTAINER-MEMBER-TYPE")


def content_by_name(name: str) -> Content:
    """What a file is called, where its bytes are not to be had."""
    suffix = extension(name)
    if suffix in {"xml", "pdf"}:
        return Content(suffix)
    return Content.ATTACHMENT if suffix == "csv" or suffix in _ATTACHMENTS else Content.OTHER


def attachment_flaw(name: str, size: int, limit: int) -> Flaw | None:
    """What the platforms have against an attachment of that name and size in bytes."""
    base = base_name(name)
    if len(base) > MAX_ATTACHMENT_NAME:
        values = {"length": len(base), "limit": MAX_ATTACHMENT_NAME}
        return Flaw("ATTACHMENT-NAME", values=values)
    if not size:
        return Flaw("ATTACHMENT-EMPTY")
    if size > limit:
        return Flaw("ATTACHMENT-SIZE", values={"size": size, "limit": limit})
    return None


def _begins_as_xml(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith(_XML_STARTS)


def _signs(head: bytes) -> bool:
    """Whether this is a signature in CMS or OpenPGP, binary or in letters."""
    return head.startswith(_ARMOURED) or bool(_DER.match(head)) or head[0] in _OPENPGP


class _RootSeen(Exception):
    pass


def _is_signature(head: bytes) -> bool:
    """Whether the root element is that of a signature; the parser is stopped right there."""
    parser = pyexpat.ParserCreate(namespace_separator=" ")
    root = ""

    def element(tag: str, _attributes: dict[str, str]) -> None:
        nonlocal root
        root = tag
        raise _RootSeen

    def doctype(*_declared: object) -> None:
        raise _RootSeen

    parser.StartElementHandler = element
    parser.StartDoctypeDeclHandler = doctype
    # What is no XML after all is told to its sender by the judge.
    with contextlib.suppress(_RootSeen, pyexpat.ExpatError, ValueError, LookupError):
        parser.Parse(head, False)
    return root in _SIGNATURE_ROOTS
