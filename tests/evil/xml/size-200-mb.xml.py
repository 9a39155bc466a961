"""A document of 200 MB, twice what is taken; nobody reads it."""

from pathlib import Path


def build(path: Path) -> None:
    """Write the case."""
    with path.open("wb") as file:
        file.write(b"<Invoice>")
        file.truncate(200_000_000)
