"""The table of objects is missing; what the end says of it leads to nowhere."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    whole = pdf(("factur-x.xml", GOOD_CII))
    at = whole.index(b"xref\n0 ")
    path.write_bytes(whole[:at] + whole[whole.index(b"trailer") :])
