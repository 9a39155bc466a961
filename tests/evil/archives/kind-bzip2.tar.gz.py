"""A tar that bzip2 has packed, under the name of a tar.gz."""

import bz2
from pathlib import Path

from tests.evil.building import GOOD, TAR_END, member


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(bz2.compress(member("FA-1.xml", GOOD) + TAR_END))
