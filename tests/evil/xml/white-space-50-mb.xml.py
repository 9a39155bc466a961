"""White space of 50 MB and nothing else."""

from pathlib import Path

from tests.evil.building import repeated


def build(path: Path) -> None:
    """Write the case."""
    repeated(path, b"", b" \t\r\n" * 250, 50_000, b"")
