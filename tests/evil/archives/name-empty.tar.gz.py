"""No name, only a dot, only blanks, only dots and slashes."""

from pathlib import Path

from tests.core.archives import header
from tests.evil.building import ALSO_GOOD, GOOD, member, padded, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            header(b"", len(GOOD)) + padded(GOOD),
            member(".", GOOD),
            member("   ", GOOD),
            member("././.", GOOD),
            member("FA-5.xml", ALSO_GOOD),
        )
    )
