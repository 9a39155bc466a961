"""A gzip of nothing."""

from pathlib import Path

from tests.evil.building import gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(gz(b""))
