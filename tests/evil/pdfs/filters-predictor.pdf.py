"""A predictor with rows of a billion bytes."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, stream, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    parts[11] = stream(GOOD_CII, "/DecodeParms << /Predictor 12 /Columns 1000000000 >>")
    path.write_bytes(written(parts))
