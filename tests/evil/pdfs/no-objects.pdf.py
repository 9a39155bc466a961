"""A header and an end, and nothing between."""

from pathlib import Path


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(b"%PDF-1.7\n%%EOF\n")
