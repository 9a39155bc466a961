"""ZUGFeRD 1.0, whose invoice has nearly the same name."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(("ZUGFeRD-invoice.xml", GOOD_CII)))
