"""The XML inside is UBL."""

from pathlib import Path

from tests.evil.building import GOOD
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(("factur-x.xml", GOOD)))
