"""Names that begin at the root, at a drive or at a server."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("/etc/FA-1.xml", GOOD),
            member("C:\\factures\\FA-2.xml", GOOD),
            member("C:FA-3.xml", GOOD),
            member("\\\\server\\share\\FA-4.xml", GOOD),
            member("FA-5.xml", ALSO_GOOD),
        )
    )
