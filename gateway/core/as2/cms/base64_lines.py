"""Content-Transfer-Encoding base64 (RFC 2045 §6.8), file to file."""

from __future__ import annotations

import binascii
from typing import BinaryIO, Final

from gateway.core.as2.cms.errors import NotCms

_LINE: Final = 76
_DECODED: Final = 57 * 4096
"""Bytes encoded at a time: 57 make a line."""
_ENCODED: Final = 1 << 18
_WHITE: Final = b" \t\r\n"


def base64_decode(source: BinaryIO, sink: BinaryIO) -> None:
    """Decode `source` to its end. Line ends and white space may stand anywhere.

    Raises NotCms for any other character, for padding that is missing or not at the end.
    """
    held = b""
    ended = False
    while chunk := source.read(_ENCODED):
        held += chunk.translate(None, _WHITE)
        whole = len(held) & ~3
        if not whole:
            continue
        if ended:
            raise NotCms("Something follows the end of the base64 text.")
        sink.write(_decoded(held[:whole]))
        ended = held[whole - 1 : whole] == b"="
        held = held[whole:]
    if held:
        raise NotCms("The base64 text is cut off." if not ended else "The base64 text is damaged.")


def _decoded(text: bytes) -> bytes:
    if text.endswith(b"==="):
        # The one mistake that Python takes for none.
        raise NotCms("The base64 text is damaged.")
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise NotCms("The base64 text is damaged.") from error


def base64_encode(source: BinaryIO, sink: BinaryIO) -> None:
    """Encode `source` to its end in lines of 76 characters, each ended by CR LF."""
    held = b""
    while chunk := source.read(_DECODED):
        held += chunk
        whole = len(held) - len(held) % 57
        sink.write(_lines(held[:whole]))
        held = held[whole:]
    sink.write(_lines(held))


def _lines(data: bytes) -> bytes:
    text = binascii.b2a_base64(data, newline=False)
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return b"\r\n".join([*lines, b""])
