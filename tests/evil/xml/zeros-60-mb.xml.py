"""60 MB of zeros: a transfer that reserved the room and never filled it."""

from pathlib import Path

from tests.evil.building import repeated


def build(path: Path) -> None:
    """Write the case."""
    repeated(path, b"", bytes(1000), 60_000, b"")
