"""The name that ZUGFeRD 2.0 gave the invoice."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf, xmp


def build(path: Path) -> None:
    """Write the case."""
    name = "zugferd-invoice.xml"
    path.write_bytes(pdf((name, GOOD_CII), metadata=xmp(file_name=name)))
