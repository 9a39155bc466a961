"""Arrays inside one another, fifty thousand levels deep."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    parts[5] = b"<< /Names " + b"[" * 50_000 + b"]" * 50_000 + b" >>"
    path.write_bytes(written(parts))
