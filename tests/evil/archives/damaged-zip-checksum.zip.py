"""The checksum of one file is wrong; the other is good."""

from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import ALSO_GOOD, GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        hand_made_zip([ZipFile(b"FA-1.xml", GOOD, crc=1), ZipFile(b"FA-2.xml", ALSO_GOOD)])
    )
