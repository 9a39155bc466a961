"""The French extension, which XMP can only call EXTENDED."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf, xmp


def build(path: Path) -> None:
    """Write the case."""
    bt24 = b"urn:cen.eu:en16931:2017"
    french = bt24 + b"#conformant#urn.cpro.gouv.fr:1p0:extended-ctc-fr"
    invoice = GOOD_CII.replace(bt24, french)
    path.write_bytes(pdf(("factur-x.xml", invoice), metadata=xmp(level="EXTENDED")))
