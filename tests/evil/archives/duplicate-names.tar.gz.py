"""One name three times: the first counts, the others are told so."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, FAULTY, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("FA-1.xml", GOOD), member("FA-1.xml", FAULTY), member("./FA-1.xml", ALSO_GOOD)
        )
    )
