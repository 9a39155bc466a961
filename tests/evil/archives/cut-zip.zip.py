"""The directory at the end is missing."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, zip_of


def build(path: Path) -> None:
    """Write the case."""
    packed = zip_of({"FA-1.xml": GOOD, "FA-2.xml": ALSO_GOOD})
    path.write_bytes(packed[: len(packed) // 2])
