"""One entry leads to two files: each reader would show another invoice."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, stream, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    parts[10] = b"<< /UF (factur-x.xml) /EF << /F 11 0 R /UF 12 0 R >> >>"
    parts[12] = stream(GOOD_CII.replace(b"FA-2026-0004", b"FA-2026-9999"))
    path.write_bytes(written(parts))
