"""A page whose content unpacks to 200 MB: nobody looks at pages here."""

import zlib
from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, stream, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    parts[3] = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 6 0 R >>"
    parts[6] = stream(packed, "/Filter /FlateDecode", packed=False)
    path.write_bytes(written(parts))
