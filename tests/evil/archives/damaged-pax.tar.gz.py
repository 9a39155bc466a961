"""Extended headers whose lengths lie; the file behind the third is good."""

import tarfile
from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("pax", b"99 path=FA-1.xml\n", type=tarfile.XHDTYPE),
            member("FA-1.xml", GOOD),
            member("pax", b"no record at all", type=tarfile.XHDTYPE),
            member("FA-2.xml", GOOD),
            member("FA-3.xml", ALSO_GOOD),
        )
    )
