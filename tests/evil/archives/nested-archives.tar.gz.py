"""Archives and packed files of every kind within an archive; the invoice beside them is read."""

import bz2
import lzma
from pathlib import Path

from tests.evil.building import GOOD, TAR_END, gz, member, tar_gz, zip_of


def build(path: Path) -> None:
    """Write the case."""
    inner = tar_gz(member("FA-9.xml", GOOD))
    path.write_bytes(
        tar_gz(
            member("lot.tar.gz", inner),
            member("lot.tar", member("FA-9.xml", GOOD) + TAR_END),
            member("lot.zip", zip_of({"FA-9.xml": GOOD})),
            member("FA-9.xml.gz", gz(GOOD)),
            member("FA-9.xml.bz2", bz2.compress(GOOD)),
            member("FA-9.xml.xz", lzma.compress(GOOD)),
            member("lot.7z", b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(24)),
            member("lot.rar", b"Rar!\x1a\x07\x01\x00" + bytes(24)),
            member("FA-1.xml", GOOD),
        )
    )
