"""Folders without end: no files, but time for each."""

from pathlib import Path

from tests.core.archives import header
from tests.evil.building import tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(tar_gz(header(b"a/", 0, b"5") * 101_001))
