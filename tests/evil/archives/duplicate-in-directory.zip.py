"""Two files of one name, both in the directory."""

from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import FAULTY, GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(hand_made_zip([ZipFile(b"FA-1.xml", GOOD), ZipFile(b"FA-1.xml", FAULTY)]))
