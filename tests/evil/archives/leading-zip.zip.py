"""A ZIP behind a ZIP that a reader from the front would open instead."""

from pathlib import Path

from tests.evil.building import FAULTY, GOOD, zip_of


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(zip_of({"FA-1.xml": FAULTY}) + zip_of({"FA-1.xml": GOOD}))
