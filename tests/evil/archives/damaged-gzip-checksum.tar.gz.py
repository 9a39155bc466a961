"""One bit of the checksum is turned."""

from pathlib import Path

from tests.evil.building import GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    packed = bytearray(tar_gz(member("FA-1.xml", GOOD)))
    packed[-6] ^= 1
    path.write_bytes(packed)
