"""What a file is, told from its first bytes, never from its name."""

from __future__ import annotations

from typing import Final

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
HEAD_BYTES: Final = 1024
"""How many of the first bytes tell. PDF readers accept the header anywhere in them (ISO 32000-1,
annex H.3.4.1)."""


def kind(first_bytes: bytes) -> str | None:
    """What a payload is when it is not XML: gzip, ZIP, tar, PDF, …; None when it may be XML."""
    for magic, name in _MAGIC:
        if first_bytes.startswith(magic):
            return name
    if first_bytes[_TAR_OFFSET : _TAR_OFFSET + 5] == b"ustar":
        return "tar"
    if b"%PDF-" in first_bytes[:HEAD_BYTES] and not first_bytes.lstrip().startswith(b"<"):
        return "PDF"
    return None
