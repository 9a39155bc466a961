"""The XML has an entity that stands for a file of the receiver."""

from pathlib import Path

from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    evil = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
    path.write_bytes(pdf(("factur-x.xml", evil)))
