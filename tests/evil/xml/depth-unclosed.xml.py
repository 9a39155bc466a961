"""A million open tags and no end: what a parser that recurses dies of."""

from pathlib import Path

from tests.evil.building import repeated


def build(path: Path) -> None:
    """Write the case."""
    repeated(path, b"", b"<a>", 1_000_000, b"")
