"""The first bytes of a 7-Zip, under the name of a ZIP."""

from pathlib import Path


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(100))
