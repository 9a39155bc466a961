"""Hard links: to the invoice before, and to a file of the receiver, one with bytes behind it."""

import tarfile
from pathlib import Path

from tests.evil.building import GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("FA-1.xml", GOOD),
            member("FA-2.xml", type=tarfile.LNKTYPE, linkname="FA-1.xml"),
            member("passwd.xml", type=tarfile.LNKTYPE, linkname="../../etc/passwd", size=4096),
        )
    )
