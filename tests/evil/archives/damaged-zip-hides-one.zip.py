"""The end record counts one file less than the directory has: some programs would not show it."""

from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import FAULTY, GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        hand_made_zip([ZipFile(b"FA-1.xml", GOOD), ZipFile(b"FA-2.xml", FAULTY)], count=1)
    )
