"""One file is longer than the directory says, one is shorter."""

from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import ALSO_GOOD, GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        hand_made_zip(
            [
                ZipFile(b"FA-1.xml", GOOD, size=len(GOOD) - 1),
                ZipFile(b"FA-2.xml", GOOD, size=len(GOOD) + 1),
                ZipFile(b"FA-3.xml", ALSO_GOOD),
            ]
        )
    )
