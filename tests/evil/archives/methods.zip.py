"""Packed by other methods than Deflate, one of them unknown."""

import bz2
from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import ALSO_GOOD, GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        hand_made_zip(
            [
                ZipFile(b"FA-1.xml", bz2.compress(GOOD), method=12),
                ZipFile(b"FA-2.xml", GOOD, method=14),
                ZipFile(b"FA-3.xml", GOOD, method=9),
                ZipFile(b"FA-4.xml", GOOD, method=777),
                ZipFile(b"FA-5.xml", ALSO_GOOD),
            ]
        )
    )
