"""A plain tar under a name that promises gzip: the bytes count, not the name."""

from pathlib import Path

from tests.evil.building import GOOD, TAR_END, member


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(member("FA-1.xml", GOOD) + TAR_END)
