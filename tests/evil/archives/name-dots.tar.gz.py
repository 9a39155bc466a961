"""Two dots are a way out, three are a name."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(tar_gz(member("..", GOOD), member("...", GOOD), member(".xml", ALSO_GOOD)))
