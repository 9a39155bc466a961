"""The size of the first file is too small by a block: the next header is not where it should be."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(member("FA-1.xml", GOOD, size=len(GOOD) - 1024), member("FA-2.xml", ALSO_GOOD))
    )
