"""What was received → the documents in it.

For now a file is one XML document. Archives and Factur-X PDFs are recognised by their first bytes
(never by their names) and refused with a finding that says so; when they are opened one day, more
than one `Member` comes out of here, each bounded, and nothing after this module changes.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.explain import own_finding
from gateway.model.verdict import Finding

_MAGIC: Final = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "ZIP"),
    (b"PK\x05\x06", "ZIP"),
    (b"PK\x07\x08", "ZIP"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Microsoft Office"),
)
_TAR_OFFSET: Final = 257
_PDF_WINDOW: Final = 1024
"""PDF readers accept the header anywhere in the first kilobyte (ISO 32000-1, annex H.3.4.1)."""


class Member(msgspec.Struct, frozen=True):
    """One document of a payload. `name` is its sender's word: for people, never a path."""

    name: str
    data: bytes


def kind(first_bytes: bytes) -> str | None:
    """What a payload is when it is not XML: gzip, ZIP, tar, PDF, …; None when it may be XML."""
    for magic, name in _MAGIC:
        if first_bytes.startswith(magic):
            return name
    if first_bytes[_TAR_OFFSET : _TAR_OFFSET + 5] == b"ustar":
        return "tar"
    if b"%PDF-" in first_bytes[:_PDF_WINDOW] and not first_bytes.lstrip().startswith(b"<"):
        return "PDF"
    return None


def open_payload(data: bytes, name: str) -> tuple[Member, ...] | Finding:
    """The documents of a payload, at least one, or the finding that says why it stays shut."""
    found = kind(data[:_PDF_WINDOW])
    if found is not None:
        return own_finding("CONTAINER-UNSUPPORTED", kind=found)
    return (Member(name, data),)
