"""A whole gzip of half a tar: it was cut off before it was compressed."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, gz, member


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(gz(member("FA-1.xml", GOOD) + member("FA-2.xml", ALSO_GOOD)[:3000]))
