"""The table names itself as the one before it."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    start = written(parts, trailer="/Prev 00000").rpartition(b"startxref\n")[2].split()[0]
    path.write_bytes(written(parts, trailer=f"/Prev {start.decode():0>5}"))
