"""Metadata that unpack to 60 MB; the invoice itself is good."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, stream, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    parts[4] = stream(b"<x>" + b" " * 60_000_000, "/Type /Metadata /Subtype /XML")
    path.write_bytes(written(parts))
