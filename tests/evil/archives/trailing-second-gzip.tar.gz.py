"""Two tar.gz joined by cat."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(tar_gz(member("FA-1.xml", GOOD)) + tar_gz(member("FA-2.xml", ALSO_GOOD)))
