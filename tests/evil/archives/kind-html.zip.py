"""The page a web server sent instead of the archive."""

from pathlib import Path


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(b"<html><head><title>404 Not Found</title></head><body></body></html>\n")
