"""A gzip of a gzip of 100 MB of zeros: only one layer is taken off."""

from pathlib import Path

from tests.evil.building import gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(gz(gz(bytes(100_000_000))))
