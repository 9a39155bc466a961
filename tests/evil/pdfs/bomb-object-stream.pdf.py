"""A stream of objects that unpacks to 200 MB."""

import zlib
from pathlib import Path

from tests.evil.building import GOOD_CII, with_object_stream
from tests.pdfs import stream


def build(path: Path) -> None:
    """Write the case."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(200)) + packer.flush()
    bomb = stream(packed, "/Type /ObjStm /N 4 /First 20 /Filter /FlateDecode", packed=False)
    path.write_bytes(with_object_stream({}, {6: stream(GOOD_CII)}, packed=bomb))
