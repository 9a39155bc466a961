"""The embedded file says that its bytes are in a file of the receiver: they are not fetched."""

from pathlib import Path

from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", b"")], xmp())
    parts[11] = b"<< /Length 0 /F (/etc/passwd) >>\nstream\n\nendstream"
    path.write_bytes(written(parts))
