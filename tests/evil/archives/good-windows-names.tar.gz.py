"""Names Windows keeps for devices, and such as begin with a hyphen: they are only words here."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("CON.xml", GOOD), member("-rf.xml", ALSO_GOOD), member("$(id);`id`.csv", b"a;b")
        )
    )
