"""Noise in a gzip, as long as a header of tar."""

from pathlib import Path

from tests.evil.building import gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(gz(bytes(n * n * 7 % 251 for n in range(2048))))
