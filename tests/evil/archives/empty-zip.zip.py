"""A ZIP of nothing."""

from pathlib import Path

from tests.evil.building import zip_of


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(zip_of({}))
