"""A PDF that is also a ZIP, for those who read from the end."""

from pathlib import Path

from tests.evil.building import GOOD_CII, zip_of
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(("factur-x.xml", GOOD_CII)) + zip_of({"a": b"b"}))
