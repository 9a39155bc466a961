"""Metadata whose profile is markup of 100 kB with line breaks."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf, xmp


def build(path: Path) -> None:
    """Write the case."""
    level = "&lt;script&gt;alert(1)&#10;&#x202e;" + "A" * 100_000
    path.write_bytes(pdf(("factur-x.xml", GOOD_CII), metadata=xmp(level=level)))
