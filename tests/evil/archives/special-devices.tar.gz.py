"""Devices, a pipe and a kind nobody knows: there is nothing to read in them."""

import tarfile
from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("zero.xml", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
            member("sda.xml", type=tarfile.BLKTYPE, devmajor=8),
            member("tube.xml", type=tarfile.FIFOTYPE),
            member("inconnu.xml", GOOD, type=b"Z"),
            member("FA-1.xml", ALSO_GOOD),
        )
    )
