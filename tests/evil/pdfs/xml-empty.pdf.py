"""The embedded invoice has no bytes."""

from pathlib import Path

from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(("factur-x.xml", b"")))
