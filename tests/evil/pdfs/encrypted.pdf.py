"""Encrypted with a password."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    path.write_bytes(
        written(parts, trailer="/Encrypt << /Filter /Standard /V 5 /R 6 /Length 256 >>")
    )
