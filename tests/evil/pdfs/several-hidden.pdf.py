"""A second invoice stands only in the array of associated files."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, stream, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp(), catalogue="/AF [10 0 R 12 0 R]")
    parts[12] = b"<< /UF (factur-x.xml) /EF << /UF 13 0 R >> >>"
    parts[13] = stream(GOOD_CII.replace(b"FA-2026-0004", b"FA-2026-9999"))
    path.write_bytes(written(parts))
