"""A zero byte in the name: some programs see a .xml, others an .exe."""

from pathlib import Path

from tests.evil.building import GOOD, member, pax, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(tar_gz(pax(path="FA-1.xml\0.exe"), member("x", GOOD)))
