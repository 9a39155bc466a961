"""The length of the invoice is said by the invoice itself."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    parts[11] = b"<< /Length 11 0 R >>\nstream\nabc\nendstream"
    path.write_bytes(written(parts))
