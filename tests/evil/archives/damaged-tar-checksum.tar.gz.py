"""The second header does not add up to its sum."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    second = bytearray(member("FA-2.xml", ALSO_GOOD))
    second[0:4] = b"FB-2"
    path.write_bytes(tar_gz(member("FA-1.xml", GOOD), bytes(second)))
