"""The same, compressed twice: a few hundred bytes."""

import zlib
from pathlib import Path

from tests.pdfs import objects, stream, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(150)) + packer.flush()
    parts = objects([("factur-x.xml", b"")], xmp())
    parts[11] = stream(
        zlib.compress(packed, 9), "/Filter [/FlateDecode /FlateDecode]", packed=False
    )
    path.write_bytes(written(parts))
