"""Set-user-id, no rights at all, a date in the far future: only bytes are taken from a member."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("FA-1.xml", GOOD, mode=0o6777, uid=0, uname="root"),
            member("FA-2.xml", ALSO_GOOD, mode=0, mtime=1 << 40),
        )
    )
