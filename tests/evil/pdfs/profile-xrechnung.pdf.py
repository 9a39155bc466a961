"""An XRechnung: a profile that the French flow does not take."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf, xmp


def build(path: Path) -> None:
    """Write the case."""
    bt24 = b"urn:cen.eu:en16931:2017"
    german = bt24 + b"#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
    invoice = GOOD_CII.replace(bt24, german)
    metadata = xmp(level="XRECHNUNG", file_name="xrechnung.xml")
    path.write_bytes(pdf(("xrechnung.xml", invoice), metadata=metadata))
