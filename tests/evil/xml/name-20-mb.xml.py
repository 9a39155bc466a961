"""An element with a name of 20 MB."""

from pathlib import Path

from tests.evil.building import repeated


def build(path: Path) -> None:
    """Write the case."""
    repeated(path, b"<", b"A" * 1000, 20_000, b"/>")
