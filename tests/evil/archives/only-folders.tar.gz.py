"""Folders called like invoices, and nothing in them."""

import tarfile
from pathlib import Path

from tests.evil.building import member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(member("FA-1.xml", type=tarfile.DIRTYPE), member("a", type=tarfile.DIRTYPE))
    )
