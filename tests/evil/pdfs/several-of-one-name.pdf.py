"""Two files have the same name, and only one of them is right."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    bad = GOOD_CII.replace(b"FA-2026-0004", b"FA-2026-9999")
    path.write_bytes(pdf(("factur-x.xml", GOOD_CII), ("factur-x.xml", bad)))
