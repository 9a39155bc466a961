"""The XML goes five thousand levels deep."""

from pathlib import Path

from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(("factur-x.xml", b"<a>" * 5000 + b"</a>" * 5000)))
