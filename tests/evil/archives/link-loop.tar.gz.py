"""Links that lead to each other, and to themselves."""

import tarfile
from pathlib import Path

from tests.evil.building import member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("a.xml", type=tarfile.SYMTYPE, linkname="b.xml"),
            member("b.xml", type=tarfile.SYMTYPE, linkname="a.xml"),
            member("c.xml", type=tarfile.LNKTYPE, linkname="c.xml"),
        )
    )
