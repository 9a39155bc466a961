"""Names that climb out of the folder, with either slash."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("../FA-1.xml", GOOD),
            member("avril/../../FA-2.xml", GOOD),
            member("../../../../etc/cron.d/evil", b"* * * * * root id\n"),
            member("..\\FA-3.xml", GOOD),
            member("avril/FA-4.xml", ALSO_GOOD),
        )
    )
