"""The embedded file is a page."""

from pathlib import Path

from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(("factur-x.xml", b"<html><body>Facture</body></html>")))
