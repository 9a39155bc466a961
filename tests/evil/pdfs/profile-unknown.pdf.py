"""A profile nobody knows; the metadata say EN 16931."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    invoice = GOOD_CII.replace(b"urn:cen.eu:en16931:2017", b"urn:example:nobody-knows")
    path.write_bytes(pdf(("factur-x.xml", invoice)))
