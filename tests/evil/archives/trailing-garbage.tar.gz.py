"""Bytes behind the gzip that are none."""

from pathlib import Path

from tests.evil.building import GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(tar_gz(member("FA-1.xml", GOOD)) + b"-- \r\nscanned by a mail gateway\r\n")
