"""A tar that xz has packed."""

import lzma
from pathlib import Path

from tests.evil.building import GOOD, TAR_END, member


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(lzma.compress(member("FA-1.xml", GOOD) + TAR_END))
