"""The entry about encryption is a number."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(written(objects([("factur-x.xml", GOOD_CII)], xmp()), trailer="/Encrypt 7"))
