"""The directory says 1 kB; what is packed are 10 MB."""

import zlib
from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import ALSO_GOOD


def build(path: Path) -> None:
    """Write the case."""
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(bytes(10_000_000)) + packer.flush()
    path.write_bytes(
        hand_made_zip(
            [
                ZipFile(b"FA-1.xml", bytes(1000), method=8, stored=packed),
                ZipFile(b"FA-2.xml", ALSO_GOOD),
            ]
        )
    )
