"""Metadata with an entity that stands for a file of the receiver."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf, xmp


def build(path: Path) -> None:
    """Write the case."""
    evil = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    path.write_bytes(pdf(("factur-x.xml", GOOD_CII), metadata=evil + xmp(level="&e;")))
