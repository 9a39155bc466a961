"""More elements than any invoice has, each the shortest there is."""

from pathlib import Path

from tests.evil.building import INVOICE_END, INVOICE_START, repeated


def build(path: Path) -> None:
    """Write the case."""
    repeated(path, INVOICE_START, b"<a/>", 6_000_000, INVOICE_END)
