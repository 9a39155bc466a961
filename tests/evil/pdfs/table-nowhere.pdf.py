"""The end says that the table stands a hundred megabytes on."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    whole = pdf(("factur-x.xml", GOOD_CII)).rpartition(b"startxref\n")[0]
    path.write_bytes(whole + b"startxref\n99999999\n%%EOF\n")
