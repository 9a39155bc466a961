"""An object that is only a reference to itself."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    parts[5] = b"5 0 R"
    path.write_bytes(written(parts))
