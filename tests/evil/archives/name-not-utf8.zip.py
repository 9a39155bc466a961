"""A name that a flag calls UTF-8 and that is none."""

from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(hand_made_zip([ZipFile(b"FA-\xff\xfe.xml", GOOD, flags=0x800)]))
