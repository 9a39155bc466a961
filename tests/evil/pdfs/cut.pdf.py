"""The second half is missing."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    whole = pdf(("factur-x.xml", GOOD_CII))
    path.write_bytes(whole[: len(whole) // 2])
