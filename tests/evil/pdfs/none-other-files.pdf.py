"""Files are embedded, but none has the name of an invoice."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(("facture.xml", GOOD_CII), ("conditions.txt", b"...")))
