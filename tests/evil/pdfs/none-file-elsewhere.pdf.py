"""A file of the right name that is not embedded, but to be fetched from a server."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    parts[10] = b"<< /FS /URL /F (http://127.0.0.1:9/factur-x.xml) /UF (factur-x.xml) >>"
    path.write_bytes(written(parts))
