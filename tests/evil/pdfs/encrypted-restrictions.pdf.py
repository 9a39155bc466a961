"""Encrypted so that it opens without a password but cannot be printed."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects([("factur-x.xml", GOOD_CII)], xmp())
    keys = f"/O <{'00' * 32}> /U <{'00' * 32}> /P -3904"
    said = f"/Encrypt << /Filter /Standard /V 1 /R 2 {keys} >> /ID [<00> <00>]"
    path.write_bytes(written(parts, trailer=said))
