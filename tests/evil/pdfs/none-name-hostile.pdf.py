"""Names with line breaks, markup, marks that turn the direction of writing, and 5000 letters."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("a", GOOD_CII), ("b", GOOD_CII), ("c", GOOD_CII)], xmp())
    names = (r"x\r\nfactur-x.xml\033[2J", "<script>alert(1)</script>", "n" * 5000)
    for number, name in zip((10, 12, 14), names, strict=True):
        spec = f"<< /UF ({name}) /EF << /UF {number + 1} 0 R >> >>"
        parts[number] = spec.encode()
    path.write_bytes(written(parts))
