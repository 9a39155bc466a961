"""The invoice says that it has two gigabytes."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    parts[11] = parts[11].replace(b"/Length ", b"/Length 200000", 1)
    path.write_bytes(written(parts))
