"""A line stands before the header."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(b"X-Scanned: yes\r\n" + pdf(("factur-x.xml", GOOD_CII)))
