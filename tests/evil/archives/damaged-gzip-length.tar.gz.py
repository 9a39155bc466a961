"""The length behind the checksum is another."""

from pathlib import Path

from tests.evil.building import GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    packed = bytearray(tar_gz(member("FA-1.xml", GOOD)))
    packed[-4] ^= 1
    path.write_bytes(packed)
