"""The second of three invoices adds up wrongly: it alone is rejected."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, FAULTY, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(member("1.xml", GOOD), member("2.xml", FAULTY), member("3.xml", ALSO_GOOD))
    )
