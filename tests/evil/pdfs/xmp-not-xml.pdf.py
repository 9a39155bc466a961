"""Metadata that break off."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf, xmp


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(("factur-x.xml", GOOD_CII), metadata=xmp()[:300]))
