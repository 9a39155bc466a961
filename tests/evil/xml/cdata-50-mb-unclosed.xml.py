"""A CDATA section of 50 MB that never ends."""

from pathlib import Path

from tests.evil.building import INVOICE_START, repeated


def build(path: Path) -> None:
    """Write the case."""
    repeated(path, INVOICE_START + b"<![CDATA[", b"]]" * 500, 50_000, b"")
