"""The XML says UTF-8 and is Latin-1."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    latin1 = GOOD_CII.decode().encode("latin-1", errors="replace")
    path.write_bytes(pdf(("factur-x.xml", latin1)))
