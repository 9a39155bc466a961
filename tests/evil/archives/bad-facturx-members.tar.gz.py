"""Three PDFs: one holds a UBL, one holds nothing, one is no PDF behind its first bytes."""

from pathlib import Path

from tests.evil.building import GOOD, member, tar_gz
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("ubl.pdf", pdf(("factur-x.xml", GOOD))),
            member("scan.pdf", pdf()),
            member("broken.pdf", b"%PDF-1.7\nnothing\n"),
        )
    )
