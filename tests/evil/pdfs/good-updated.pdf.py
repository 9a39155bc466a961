"""A second version was appended: its invoice counts, and the first, which is faulty, does not."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, stream, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    first = objects([("factur-x.xml", GOOD_CII.replace(b"<ram:GrandTotal", b"<ram:Grand"))], xmp())
    old = written(first)
    start = int(old.rpartition(b"startxref\n")[2].split()[0])
    new = b"11 0 obj\n" + stream(GOOD_CII, "/Type /EmbeddedFile") + b"\nendobj\n"
    at = len(old)
    table = b"xref\n11 1\n%010d 00000 n \n" % at
    trailer = b"trailer\n<< /Size 12 /Root 1 0 R /Prev %d >>\n" % start
    path.write_bytes(old + new + table + trailer + b"startxref\n%d\n%%%%EOF\n" % (at + len(new)))
