"""gzip files of nothing, one behind the other, more than any writer makes."""

from pathlib import Path

from tests.evil.building import gz, repeated


def build(path: Path) -> None:
    """Write the case."""
    repeated(path, b"", gz(b""), 200_001, b"")
