"""A comment of 50 MB before the root."""

from pathlib import Path

from tests.evil.building import repeated


def build(path: Path) -> None:
    """Write the case."""
    repeated(path, b"<!--", b"A" * 1000, 50_000, b"--><Invoice/>")
