"""Branches that lead to each other, five hundred times each."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    parts[5] = b"<< /Kids [" + b"6 0 R " * 500 + b"] >>"
    parts[6] = b"<< /Kids [" + b"5 0 R " * 500 + b"] >>"
    path.write_bytes(written(parts))
