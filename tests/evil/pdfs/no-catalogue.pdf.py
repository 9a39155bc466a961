"""The trailer names a catalogue that is not there."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    del parts[1]
    path.write_bytes(written(parts))
