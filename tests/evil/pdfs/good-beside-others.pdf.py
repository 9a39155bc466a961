"""Other files, also in XML, lie beside the invoice: its name tells which it is."""

from pathlib import Path

from tests.evil.building import GOOD, GOOD_CII
from tests.pdfs import pdf


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        pdf(
            ("details.xml", GOOD),
            ("factur-x.xml", GOOD_CII),
            ("setup.exe", b"MZ\x90\x00"),
            ("Factur-X.xml", GOOD),
        )
    )
