"""An extended header that announces 8 GB of names."""

from pathlib import Path

from tests.core.archives import header
from tests.evil.building import TAR_END, gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(gz(header(b"pax", 8_000_000_000, b"x") + bytes(512) + TAR_END))
