"""A symbolic link as Info-ZIP stores it, and a pipe."""

import stat
from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import ALSO_GOOD, GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        hand_made_zip(
            [
                ZipFile(b"passwd.xml", b"/etc/passwd", attributes=(stat.S_IFLNK | 0o777) << 16),
                ZipFile(b"tube.xml", GOOD, attributes=stat.S_IFIFO << 16),
                ZipFile(b"FA-2.xml", ALSO_GOOD),
            ]
        )
    )
