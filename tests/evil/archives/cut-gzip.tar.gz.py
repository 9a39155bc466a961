"""The last third is missing."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    packed = tar_gz(member("FA-1.xml", GOOD), member("FA-2.xml", ALSO_GOOD))
    path.write_bytes(packed[: len(packed) * 2 // 3])
