"""The end record counts one file more than the directory has."""

from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(hand_made_zip([ZipFile(b"FA-1.xml", GOOD)], count=2))
