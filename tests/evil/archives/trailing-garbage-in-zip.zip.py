"""Bytes behind the end of a ZIP."""

from pathlib import Path

from tests.evil.building import GOOD, zip_of


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(zip_of({"FA-1.xml": GOOD}) + b"\r\n")
