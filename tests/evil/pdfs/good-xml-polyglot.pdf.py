"""An invoice in XML that says %PDF- in its first comment."""

from pathlib import Path

from tests.evil.building import GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(GOOD.replace(b"?>", b"?><!-- %PDF-1.7 -->", 1))
