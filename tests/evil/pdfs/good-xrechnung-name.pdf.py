"""The name that XRechnung gives the invoice, which follows plain EN 16931 all the same."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf, xmp


def build(path: Path) -> None:
    """Write the case."""
    name = "xrechnung.xml"
    path.write_bytes(pdf((name, GOOD_CII), metadata=xmp(file_name=name)))
