"""What the canonical invoice says of an attached file in place of its bytes: size and SHA-256.

The file is in the document as Base64 (BT-125), up to 100 MB of it. It is decoded piece by piece,
so that no second copy of it is made.
"""

from __future__ import annotations

import binascii
import hashlib
from typing import Final, NamedTuple

from lxml import etree

from gateway.core.mapping.paths import text_of

_PIECE: Final = 4 * 65_536
"""Characters decoded at once."""


class FileFacts(NamedTuple):
    """Bytes, and the SHA-256 of them in lower-case hexadecimal."""

    size: int
    sha256: str


def file_facts(element: etree._Element) -> FileFacts | None:
    """Of the file in an element; None when there is none, or what is there is no Base64."""
    text = text_of(element)
    if not text:
        return None
    size, digest, rest = 0, hashlib.sha256(), ""
    try:
        for start in range(0, len(text), _PIECE):
            piece = rest + "".join(text[start : start + _PIECE].split())
            whole = len(piece) - len(piece) % 4
            data = binascii.a2b_base64(piece[:whole], strict_mode=True)
            size += len(data)
            digest.update(data)
            rest = piece[whole:]
            if piece[:whole].endswith("="):  # nothing may follow the padding
                if rest or text[start + _PIECE :].strip():
                    return None
                break
    except (binascii.Error, ValueError):  # ValueError: a letter that is not ASCII
        return None
    return None if rest else FileFacts(size, digest.hexdigest())
