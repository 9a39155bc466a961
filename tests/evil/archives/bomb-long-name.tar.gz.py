"""A file name of 1 MB: it is not kept, and the other file is read."""

import tarfile
from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    name = member("././@LongLink", b"n" * 1_000_000, type=tarfile.GNUTYPE_LONGNAME)
    path.write_bytes(tar_gz(name, member("n", GOOD), member("FA-2.xml", ALSO_GOOD)))
