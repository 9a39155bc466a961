"""The directory and the file's own header name it differently, pack it differently."""

from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import ALSO_GOOD, GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        hand_made_zip(
            [
                ZipFile(b"FA-1.xml", GOOD, local_name=b"FB-1.exe"),
                ZipFile(b"FA-2.xml", GOOD, local_method=8),
                ZipFile(b"FA-3.xml", GOOD, local_flags=1),
                ZipFile(b"FA-4.xml", ALSO_GOOD),
            ]
        )
    )
