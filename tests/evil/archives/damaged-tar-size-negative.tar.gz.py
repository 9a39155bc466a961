"""A size below zero, with a right checksum."""

from pathlib import Path

from tests.core.archives import header
from tests.evil.building import GOOD, TAR_END, gz, padded


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(gz(header(b"FA-1.xml", b"-0000000001\0") + padded(GOOD) + TAR_END))
