"""Bytes that mean nothing."""

from pathlib import Path


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(bytes(n * n * 7 % 251 | 128 for n in range(2000)))
