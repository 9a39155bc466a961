"""Documents of 1 MB of blanks, each within every limit of its own; together 130 MB in 130 kB."""

import zlib
from pathlib import Path

from tests.core.archives import header
from tests.evil.building import GOOD, TAR_END


def build(path: Path) -> None:
    """Write the case."""
    packer = zlib.compressobj(9, wbits=31)
    blanks = GOOD.ljust(1 << 20)
    with path.open("wb") as file:
        for number in range(130):
            file.write(packer.compress(header(b"%d.xml" % number, len(blanks)) + blanks))
        file.write(packer.compress(TAR_END) + packer.flush())
