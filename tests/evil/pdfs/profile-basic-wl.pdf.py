"""It calls itself BASIC WL, which has no lines, and has lines."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf, xmp


def build(path: Path) -> None:
    """Write the case."""
    bt24 = b"urn:cen.eu:en16931:2017"
    invoice = GOOD_CII.replace(bt24, b"urn:factur-x.eu:1p0:basicwl")
    path.write_bytes(pdf(("factur-x.xml", invoice), metadata=xmp(level="BASIC WL")))
