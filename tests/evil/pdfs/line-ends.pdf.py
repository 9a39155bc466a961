"""Sent in text mode: every line feed has become two characters."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(("factur-x.xml", GOOD_CII)).replace(b"\n", b"\r\n"))
