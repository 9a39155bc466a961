"""Three files of 4 GB each, by what the directory says."""

from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        hand_made_zip([ZipFile(b"%d.xml" % n, GOOD, size=0xFFFFFFF0) for n in range(3)])
    )
