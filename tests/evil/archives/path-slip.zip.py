"""The same in a ZIP (zip slip), one file beside them good."""

from pathlib import Path

from tests.evil.building import ALSO_GOOD, GOOD, zip_of


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        zip_of(
            {
                "../../FA-1.xml": GOOD,
                "/FA-2.xml": GOOD,
                "avril\\..\\..\\FA-3.xml": GOOD,
                "d:/FA-4.xml": GOOD,
                "FA-5.xml": ALSO_GOOD,
            }
        )
    )
