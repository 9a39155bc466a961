"""The embedded invoice is a gzip."""

from pathlib import Path

from tests.evil.building import GOOD_CII, gz
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(("factur-x.xml", gz(GOOD_CII))))
