"""Objects and the table of them inside compressed streams, as PDFs since 1.5 have them."""

from pathlib import Path

from tests.evil.building import GOOD_CII, with_object_stream
from tests.pdfs import stream, xmp


def build(path: Path) -> None:
    """Write the case."""
    invoice = stream(GOOD_CII, "/Type /EmbeddedFile")
    inside = {
        1: b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles 3 0 R>>/Metadata 7 0 R>>",
        2: b"<</Type/Pages/Kids[]/Count 0>>",
        3: b"<</Names[(factur-x.xml) 4 0 R]>>",
        4: b"<</Type/Filespec/UF(factur-x.xml)/EF<</UF 6 0 R>>>>",
    }
    path.write_bytes(with_object_stream(inside, {6: invoice, 7: stream(xmp(), packed=False)}))
