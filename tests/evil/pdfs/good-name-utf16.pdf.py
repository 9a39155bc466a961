"""The name of the invoice as a PDF writer for Windows has it: UTF-16 in hexadecimal digits."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    name = b"<FEFF" + "factur-x.xml".encode("utf-16-be").hex().encode() + b">"
    parts[5] = b"<< /Names [" + name + b" 10 0 R] >>"
    parts[10] = parts[10].replace(b"(factur-x.xml)", name)
    path.write_bytes(written(parts))
