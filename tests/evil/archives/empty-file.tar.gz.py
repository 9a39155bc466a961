"""No byte at all."""

from pathlib import Path


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(b"")
