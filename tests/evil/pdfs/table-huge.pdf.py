"""A table that says it has a billion entries."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        pdf(("factur-x.xml", GOOD_CII)).replace(b"xref\n0 12\n", b"xref\n0 999999999\n")
    )
