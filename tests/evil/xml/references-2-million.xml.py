"""Two million character references in one text."""

from pathlib import Path

from tests.evil.building import INVOICE_END, INVOICE_START, repeated


def build(path: Path) -> None:
    """Write the case."""
    repeated(path, INVOICE_START, b"&#233;", 2_000_000, INVOICE_END)
