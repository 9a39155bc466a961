"""A file without a name."""

from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import ALSO_GOOD, GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(hand_made_zip([ZipFile(b"", GOOD), ZipFile(b"FA-2.xml", ALSO_GOOD)]))
