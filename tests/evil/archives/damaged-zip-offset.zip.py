"""A file that should stand two gigabytes on."""

from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        hand_made_zip([ZipFile(b"FA-1.xml", GOOD), ZipFile(b"FA-2.xml", GOOD, offset=1 << 31)])
    )
