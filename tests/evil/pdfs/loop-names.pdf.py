"""The tree of embedded files is its own branch."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    parts[5] = b"<< /Kids [5 0 R] >>"
    path.write_bytes(written(parts))
