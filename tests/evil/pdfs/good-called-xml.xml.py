"""A sound Factur-X under the name of an XML file: the bytes count, not the name."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(("factur-x.xml", GOOD_CII)))
