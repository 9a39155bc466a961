"""Attachments that are empty, have too long a name, or are not what they are called."""

from pathlib import Path

from tests.evil.building import GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("FA-1.xml", GOOD),
            member("FA-1.png", b""),
            member("FA-1_" + "annexe-" * 7 + ".csv", b"a;b"),
            member("FA-1.jpg", b"MZ\x90\x00\x03"),
            member("FA-1.csv", b"\x00\x01\x02"),
        )
    )
