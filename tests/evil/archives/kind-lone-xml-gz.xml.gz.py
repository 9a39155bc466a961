"""One invoice, compressed by itself: the commonest mistake."""

from pathlib import Path

from tests.evil.building import GOOD, gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(gz(GOOD))
