"""An encoding for images, for which a reader would start another program."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, stream, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    parts[11] = stream(GOOD_CII, "/Filter /JBIG2Decode", packed=False)
    path.write_bytes(written(parts))
