"""Metadata with entities that multiply."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import pdf, xmp


def build(path: Path) -> None:
    """Write the case."""
    lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    laughs = f'<!DOCTYPE x [<!ENTITY l0 "lol">{lines}]>'.encode()
    path.write_bytes(pdf(("factur-x.xml", GOOD_CII), metadata=laughs + xmp(level="&l9;")))
