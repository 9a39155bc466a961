"""A second tar behind the end of the first, in one gzip: only some programs read it."""

from pathlib import Path

from tests.evil.building import FAULTY, GOOD, TAR_END, gz, member


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(gz(member("FA-1.xml", GOOD) + TAR_END + member("FA-2.xml", FAULTY) + TAR_END))
