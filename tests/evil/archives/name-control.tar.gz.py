"""Line breaks, a bell and the words that clear a terminal, within names."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("FA-1\n.xml", GOOD),
            member("FA-2\r\nFA-3.xml", GOOD),
            member("\x1b[2J\x1b]0;evil\x07FA-4.xml", GOOD),
            member("FA-5\x7f.xml", GOOD),
            member("FA-6.xml", ALSO_GOOD),
        )
    )
