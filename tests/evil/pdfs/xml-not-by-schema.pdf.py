"""An amount inside has a comma."""

from pathlib import Path

from bench.invoices import cii_invoice
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(pdf(("factur-x.xml", cii_invoice("FA-2026-0006", lines=1, fault="schema"))))
