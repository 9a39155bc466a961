"""Elements inside one another, a hundred thousand levels deep."""

from pathlib import Path

from tests.evil.building import INVOICE_END, INVOICE_START, repeated


def build(path: Path) -> None:
    """Write the case."""
    repeated(path, INVOICE_START, b"<a>", 100_000, b"</a>" * 100_000 + INVOICE_END)
