"""One bit within the invoice is turned."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    whole = bytearray(pdf(("factur-x.xml", GOOD_CII)))
    whole[whole.index(b"/EmbeddedFile /Subtype") + 600] ^= 4
    path.write_bytes(whole)
