"""Links to a file of the receiver, to a folder, and to the invoice beside them."""

import tarfile
from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("FA-1.xml", GOOD),
            member("passwd.xml", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            member("dossier", type=tarfile.SYMTYPE, linkname="/tmp"),
            member("dossier/FA-2.xml", ALSO_GOOD),
            member("FA-3.xml", type=tarfile.SYMTYPE, linkname="FA-1.xml"),
        )
    )
