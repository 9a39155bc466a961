"""One text of 50 MB: as large as an attachment, but where none may be."""

from pathlib import Path

from tests.evil.building import INVOICE_END, INVOICE_START, repeated


def build(path: Path) -> None:
    """Write the case."""
    repeated(path, INVOICE_START, b"A" * 1000, 50_000, INVOICE_END)
