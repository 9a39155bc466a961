"""Folders parted by backslashes, as some programs for Windows write them."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, zip_of


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(zip_of({"avril\\FA-1.xml": GOOD, "FA-2.xml": ALSO_GOOD}))
