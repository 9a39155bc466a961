"""Two entries of the table are exchanged: where the invoice should be, stands another object."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    whole = pdf(("factur-x.xml", GOOD_CII))
    rows = whole.index(b"xref\n0 12\n") + 10
    three, eleven = (whole[rows + 20 * n : rows + 20 * n + 20] for n in (3, 11))
    swapped = whole[:rows] + whole[rows:].replace(eleven, b"@" * 20).replace(three, eleven)
    path.write_bytes(swapped.replace(b"@" * 20, three))
