"""So much stands before the header that it is no PDF any more."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(b"rubbish " * 200 + pdf(("factur-x.xml", GOOD_CII)))
