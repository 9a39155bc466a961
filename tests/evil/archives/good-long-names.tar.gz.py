"""Names that need an extension of the tar format, in GNU's way and in that of pax."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, pax, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    long = "factures/" * 15 + "FA-2026-avril.xml"
    path.write_bytes(
        tar_gz(
            member(long, GOOD),
            pax(path=long.replace("avril", "mai")),
            member("short", ALSO_GOOD),
        )
    )
