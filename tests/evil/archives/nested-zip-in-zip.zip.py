"""A ZIP in a ZIP, stored so that both show their files to a careless reader."""

import zipfile
from pathlib import Path

from tests.evil.building import FAULTY, GOOD, zip_of


def build(path: Path) -> None:
    """Write the case."""
    inner = zip_of({"FA-9.xml": FAULTY})
    path.write_bytes(zip_of({"lot.zip": inner, "FA-1.xml": GOOD}, compress_type=zipfile.ZIP_STORED))
