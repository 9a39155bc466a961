"""An invoice with its readable copy, an attachment and a detached signature: one document."""

from pathlib import Path

from tests.core.archives import DER, PNG
from tests.evil.building import GOOD, member, tar_gz
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("FA-1.xml", GOOD),
            member("FA-1.pdf", pdf()),
            member("FA-1_annexe.png", PNG),
            member("FA-1_détail.csv", "référence;quantité\r\nA-1;3\r\n".encode()),
            member("FA-1.xml.p7s", DER),
        )
    )
