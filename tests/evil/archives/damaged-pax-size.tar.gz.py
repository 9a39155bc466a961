"""An extended header says that the file has one byte: what follows is no header."""

from pathlib import Path

from tests.evil.building import GOOD, member, pax, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(tar_gz(pax(size="1"), member("FA-1.xml", GOOD)))
