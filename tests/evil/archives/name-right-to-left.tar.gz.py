"""Marks that turn the direction of writing: it would look like FA-exe.1.xml."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(member("FA-\u202elmx.1.exe", GOOD), member("FA\u200b-2.xml", ALSO_GOOD))
    )
