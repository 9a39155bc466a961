"""A harmless name in the header, and one that leads out in the pax header before it."""

from pathlib import Path

from tests.evil.building import GOOD, member, pax, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(tar_gz(pax(path="../../FA-1.xml"), member("FA-1.xml", GOOD)))
