"""A PDF for people only, as a scanner makes it."""

from pathlib import Path

from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(metadata=None))
