"""Names of 256 bytes and of 5 kB in folders."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("n" * 252 + ".xml", GOOD),
            member("é" * 126 + ".xml", GOOD),
            member("dossier/" * 600 + "FA-3.xml", GOOD),
            member("n" * 251 + ".xml", ALSO_GOOD),
        )
    )
