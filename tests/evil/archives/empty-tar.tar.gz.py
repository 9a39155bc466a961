"""A tar of nothing."""

from pathlib import Path

from tests.evil.building import TAR_END, gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(gz(TAR_END))
