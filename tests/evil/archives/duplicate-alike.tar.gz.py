"""Names that some systems take for one: capitals, and é in one or in two characters."""

from pathlib import Path

from tests.evil.building import GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("facturé.xml", GOOD),
            member("FACTURÉ.XML", GOOD),
            member("facture\u0301.xml", GOOD),
        )
    )
