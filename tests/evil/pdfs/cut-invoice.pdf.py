"""The invoice inside ends too early."""

import zlib
from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, stream, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    parts[11] = stream(zlib.compress(GOOD_CII)[:900], "/Filter /FlateDecode", packed=False)
    path.write_bytes(written(parts))
