"""All files are there, but not the zeros that end a tar."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, gz, member


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(gz(member("FA-1.xml", GOOD) + member("FA-2.xml", ALSO_GOOD)))
