"""A long name was announced, and the file it belongs to is missing."""

import tarfile
from pathlib import Path

from tests.evil.building import GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    name = member("././@LongLink", b"FA-2.xml\0", type=tarfile.GNUTYPE_LONGNAME)
    path.write_bytes(tar_gz(member("FA-1.xml", GOOD), name))
