"""A file of 150 MB of zeros in 150 kB, as its directory truly says."""

from pathlib import Path

from tests.evil.building import zip_of


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(zip_of({"FA-1.xml": bytes(150_000_000)}))
