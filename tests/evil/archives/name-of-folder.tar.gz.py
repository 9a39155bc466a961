"""A file that is called like a folder."""

from pathlib import Path

from tests.core.archives import header
from tests.evil.building import ALSO_GOOD, GOOD, member, padded, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(header(b"FA-1.xml/", len(GOOD)) + padded(GOOD), member("FA-2.xml", ALSO_GOOD))
    )
