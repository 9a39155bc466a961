"""An invoice in UBL under the name of a PDF: the bytes count, not the name."""

from pathlib import Path

from tests.evil.building import GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(GOOD)
