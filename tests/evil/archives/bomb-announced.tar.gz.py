"""A header that announces 20 GB: refused before any of them is unpacked."""

from pathlib import Path

from tests.core.archives import header
from tests.evil.building import GOOD, TAR_END, gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(gz(header(b"FA-1.xml", 20_000_000_000) + GOOD + TAR_END))
