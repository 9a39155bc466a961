"""The invoice is compressed, and that written in hexadecimal digits: unusual, but allowed."""

import zlib
from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, stream, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    digits = zlib.compress(GOOD_CII).hex().encode() + b">"
    parts[11] = stream(digits, "/Filter [/ASCIIHexDecode /FlateDecode]", packed=False)
    path.write_bytes(written(parts))
