"""Two documents and an attachment in a ZIP: nothing is wrong."""

from pathlib import Path

from tests.core.archives import PNG
from tests.evil.building import ALSO_GOOD, GOOD, zip_of


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(zip_of({"FA-1.xml": GOOD, "avril/FA-2.xml": ALSO_GOOD, "FA-1.png": PNG}))
