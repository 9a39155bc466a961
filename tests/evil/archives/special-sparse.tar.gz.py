"""Sparse files, in the ways of GNU and of pax: their size is not that of what is stored."""

import tarfile
from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, pax, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("gnu.xml", GOOD, type=tarfile.GNUTYPE_SPARSE),
            pax(**{"GNU.sparse.major": "1", "GNU.sparse.realsize": "1000000000000"}),
            member("pax.xml", GOOD),
            member("FA-3.xml", ALSO_GOOD),
        )
    )
