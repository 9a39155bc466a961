"""The XML was cut off before it was embedded."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(("factur-x.xml", GOOD_CII[:3000])))
