"""120 MB of zeros in 120 kB."""

import zlib
from pathlib import Path

from tests.core.archives import header
from tests.evil.building import TAR_END


def build(path: Path) -> None:
    """Write the case."""
    packer = zlib.compressobj(9, wbits=31)
    size = 120 << 20
    with path.open("wb") as file:
        file.write(packer.compress(header(b"FA-1.xml", size)))
        for _ in range(size >> 20):
            file.write(packer.compress(bytes(1 << 20)))
        file.write(packer.compress(TAR_END) + packer.flush())
